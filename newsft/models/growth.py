"""An adapter as it was at some steps of its training: small files beside it, and all of them on one base.

`growth/step-10.safetensors` holds the LoRA matrices after ten updates, in half precision. The last step has no file: that is the adapter.
"""

import copy
import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import PeftModel, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from newsft.errors import UserError
from newsft.models.load import ADAPTER, Loaded
from newsft.models.run_record import name_step

GROWTH = "growth"  # the folder, beside the adapter
STEP_FILE = re.compile(r"step-(\d+)\.safetensors")
SAME = ("base_fingerprint", "data_fingerprint")  # of the run, which a step's file has to share


def save_step(adapter: Path, step: int, weights: Mapping[str, torch.Tensor], about: dict) -> None:
    """Write the matrices of a step beside the adapter in the folder `adapter`; `about` is what the run's record says of base and data.

    The file takes its place when it is whole.
    """
    folder = adapter / GROWTH
    folder.mkdir(exist_ok=True)
    staged, place = folder / f".{name_step(step)}", folder / f"{name_step(step)}.safetensors"
    halves = {name: weight.detach().to("cpu", torch.float16).contiguous() for name, weight in weights.items()}
    save_file(halves, staged, metadata={"step": str(step)} | {name: about[name] for name in SAME})
    staged.chmod(0o644)  # written with 0600, which a server under another user cannot read
    os.replace(staged, place)


def find_steps(adapter: Path) -> dict[int, Path]:
    """Step -> its file, in order; empty where the adapter in this folder was kept at no step."""
    found = {path: STEP_FILE.fullmatch(path.name) for path in (adapter / GROWTH).glob("step-*")}
    return dict(sorted((int(match[1]), path) for path, match in found.items() if match))


def attach_steps(loaded: Loaded, adapter: Path) -> tuple[int, ...]:
    """Add the adapters of all kept steps to a model that has the adapter of this folder; the steps, the last of which is the adapter itself.

    Empty where none was kept or where it has no record of its run. Raises UserError for a file that is damaged or of another run.
    """
    files, run = find_steps(adapter), loaded.run
    if run is None or not files:
        return ()
    steps = [step for step in files if step < run["steps"]]
    expected = get_peft_model_state_dict(loaded.model, adapter_name=ADAPTER, save_embedding_layers=False)
    for step in steps:
        weights = _read(files[step], run, expected)
        _attach(loaded.model, name_step(step), weights)
    loaded.model.eval()
    return (*steps, run["steps"])


def _attach(model: PeftModel, name: str, weights: dict[str, torch.Tensor]) -> None:
    if name not in model.peft_config:
        model.add_adapter(name, copy.deepcopy(model.peft_config[ADAPTER]))
    set_peft_model_state_dict(model, weights, adapter_name=name)


def _read(path: Path, run: dict, expected: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    remedy = f"copy the adapter again, or delete the folder {path.parent} to go without its growth"
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} is damaged ({error}); {remedy}.") from error
    other = [name for name in SAME if about.get(name) != run.get(name)]
    shapes = {name: weight.shape for name, weight in weights.items()}
    if other or shapes != {name: weight.shape for name, weight in expected.items()}:
        what = "its matrices are others" if not other else f"{' and '.join(other)} differ"
        raise UserError(f"{path} is not of the run that made the adapter beside it ({what}); {remedy}.")
    return weights
