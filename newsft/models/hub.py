"""The files of a model or adapter: a local folder's, or downloaded from the hub into its cache."""

import json
from pathlib import Path

from newsft.errors import UserError

MODEL_FILES = ["*.json", "*.safetensors", "*.jinja", "*.model", "README.md"]  # the card names the licence


def find_files(source: str, *, what: str = "model") -> Path:
    """The local folder of a model or adapter; a hub id is downloaded into the hub's cache. UserError if it is not to be had."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        remedy = "make it with `python train.py`" if what == "adapter" else "give an existing folder"
        raise UserError(f"There is no {what} folder {source}; {remedy}, or give a hub id such as owner/name.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(source, allow_patterns=MODEL_FILES))
    except GatedRepoError as error:
        raise UserError(
            f"The {what} {source} is gated; accept its licence on its hub page and run `hf auth login`."
        ) from error
    except RepositoryNotFoundError as error:
        raise UserError(
            f"The hub has no {what} {source}; check the name, or run `hf auth login` if it is private."
        ) from error
    except (OSError, ValueError) as error:  # offline, no route, time-out
        raise UserError(
            f"The {what} {source} is not in the hub's cache and the hub cannot be reached ({type(error).__name__}); connect and run `hf download {source}` once, or give a local folder."
        ) from error


def read_config(source: str) -> dict:
    """A model's config.json from its folder or from the hub's cache; empty where it is in neither. Never downloads."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    path: object = Path(source) / "config.json"
    try:
        if not Path(source).is_dir():
            path = try_to_load_from_cache(source, "config.json")
        config = json.loads(Path(path).read_text(encoding="utf-8")) if isinstance(path, str | Path) else {}
    except (OSError, ValueError, HFValidationError):
        return {}
    return config if isinstance(config, dict) else {}
