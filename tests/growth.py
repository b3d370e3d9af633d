"""An adapter that was kept at some steps of its training, made of the shipped one in a moment: at step s, B is s / steps of what it is in the end."""

import json
import shutil
from pathlib import Path

from safetensors.torch import load_file

from newsft.models.growth import save_step
from newsft.models.run_record import RUN_FILE
from newsft.recipe import RECIPES

SHIPPED = Path(RECIPES["mini"].adapter)
FILES = ("adapter_config.json", "adapter_model.safetensors", RUN_FILE, "recipe.json")


def write_grown(folder: Path, *, steps: tuple[int, ...] = (0, 100, 200)) -> Path:
    """The shipped adapter in a new folder, with these steps beside it."""
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(SHIPPED / name, folder)
    run = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    weights = load_file(folder / "adapter_model.safetensors")
    for step in steps:
        share = step / run["steps"]
        kept = {name: weight * share if "lora_B" in name else weight for name, weight in weights.items()}
        save_step(folder, step, kept, run)
    return folder
