"""Under which licence a base model stands, as its own model card says, and what that asks of an adapter made from it."""

from dataclasses import dataclass
from pathlib import Path

import yaml
from huggingface_hub import ModelCard

from newsft.recipe import RECIPES

CARD_FILE = "README.md"
KNOWN = {RECIPES["varco"].model: "llama3.1"}  # for a copy of the weights without their card
TITLES = {"apache-2.0": "Apache License 2.0", "mit": "MIT License"}


@dataclass(frozen=True)
class Licence:
    """A licence by the hub's name for it; `unknown` where the base model's card does not tell."""

    name: str = "unknown"
    title: str | None = None
    link: str | None = None
    llama: bool = (
        False  # one of Meta's: adapters say "Built with Llama", have a notice, and names that begin with Llama
    )

    @property
    def text(self) -> str:
        """For people."""
        if self.title:
            return self.title
        if self.llama and self.name.startswith("llama"):
            return f"Llama {self.name.removeprefix('llama')} Community License"
        return TITLES.get(self.name, f"{self.name} (see the base model)" if self.name == "unknown" else self.name)

    @property
    def notice(self) -> str:
        """The attribution that the Llama licences ask to be kept beside what is made from the model (section 1.b)."""
        which = f"Llama {self.name.removeprefix('llama')}" if self.name.startswith("llama") else "Llama"
        return f"{which} is licensed under the {which} Community License, Copyright © Meta Platforms, Inc. All Rights Reserved.\n"


def read_licence(model: str, folder: Path) -> Licence:
    """The licence of the base `model`, whose files are in `folder`."""
    try:
        data = ModelCard.load(folder / CARD_FILE, ignore_metadata_errors=True).data
        name, title, link = data.license or KNOWN.get(model), data.license_name, data.license_link
    except (OSError, ValueError, yaml.YAMLError):  # no card, or none that can be read
        name, title, link = KNOWN.get(model), None, None
    if name is None:  # nobody says: a name is the only sign that is left
        return Licence(llama="llama" in Path(model).name.lower())
    return Licence(name, title, link, llama=any(one.lower().startswith("llama") for one in (name, title or "")))
