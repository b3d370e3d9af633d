"""What an adapter's folder has to hold, checked before anything of it is loaded."""

import json
import shlex
from pathlib import Path

import torch
from peft import PeftConfig, PeftModel, get_peft_model_state_dict
from peft.utils import CONFIG_NAME, SAFETENSORS_WEIGHTS_NAME, WEIGHTS_NAME
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, PretrainedConfig

from newsft.errors import UserError

# The values that each setting may have. Any other value changes the base too, or cannot be switched off for single rows, so that the answers of the base would be wrong.
PLAIN = {
    "peft_type": ("LORA",),
    "bias": ("none",),
    "use_dora": (False,),
    "init_lora_weights": (True, False, "gaussian"),
    "modules_to_save": (None, []),
    "trainable_token_indices": (None, []),
    "layer_replication": (None, []),
    "target_parameters": (None, []),
}

NONSENSE = (ValueError, TypeError, AttributeError, KeyError)  # what PEFT raises for a configuration that is none
Shapes = dict[str, tuple[int, ...]]


def read_config(folder: Path) -> PeftConfig:
    """The adapter's configuration. Raises UserError, saying what was expected, where the folder holds no LoRA adapter in safetensors."""
    expected = f"expected were {CONFIG_NAME} and {SAFETENSORS_WEIGHTS_NAME}"
    if not (folder / SAFETENSORS_WEIGHTS_NAME).exists():
        if (folder / WEIGHTS_NAME).exists():
            raise UserError(
                f"{folder} holds the adapter as a pickle ({WEIGHTS_NAME}), which can run code and is not loaded; {expected}. Save it again with save_pretrained()."
            )
        if (folder / "config.json").exists():
            raise UserError(
                f"{folder} holds a whole model, such as a merged one, and no adapter; {expected}. Give a model with --model, or the folder that `python train.py` wrote the adapter to."
            )
        raise UserError(
            f"{folder} holds no adapter; {expected}. Make one with `python train.py --output {shlex.quote(str(folder))}`."
        )
    try:
        settings = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
        other = [name for name in PLAIN if name in settings and settings[name] not in PLAIN[name]]
        changed = [f"{name} {settings[name]}" for name in other]
        if changed:
            raise UserError(
                f"The adapter in {folder} has {', '.join(changed)}; expected was plain LoRA, whose base stays as it is. Train one with `python train.py`."
            )
        return PeftConfig.from_pretrained(folder)
    except UserError:
        raise
    except (OSError, *NONSENSE) as error:
        raise _damaged(folder / CONFIG_NAME, error) from error


def check_weights(folder: Path, config: PeftConfig, base_config: PretrainedConfig, *, base: str) -> None:
    """UserError where the weights cannot be read or are not, matrix by matrix, those that the configuration asks of the base model named `base`."""
    try:
        with safe_open(folder / SAFETENSORS_WEIGHTS_NAME, framework="pt") as file:
            held = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError) as error:
        raise _damaged(folder / SAFETENSORS_WEIGHTS_NAME, error) from error
    try:
        misfit = _find_misfit(held, _expected_shapes(config, base_config))
    except ValueError as error:  # no layer has the name of a target
        misfit = str(error).splitlines()[0]
    except NONSENSE as error:
        raise _damaged(folder / CONFIG_NAME, error) from error
    if misfit:
        raise UserError(
            f"The adapter {folder} does not fit the base model {base}: {misfit}. Load the base that it was trained on with --model, or train an adapter for this one."
        )


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} is missing or damaged ({error}); copy the adapter again, or train it again with `python train.py`."
    )


def _expected_shapes(config: PeftConfig, base_config: PretrainedConfig) -> Shapes:
    with torch.device("meta"):  # shapes without memory
        model = PeftModel(AutoModelForCausalLM.from_config(base_config), config)
    return {
        name: tuple(weight.shape)
        for name, weight in get_peft_model_state_dict(model, save_embedding_layers=False).items()
    }


def _find_misfit(held: Shapes, expected: Shapes) -> str | None:
    missing, surplus = sorted(expected.keys() - held.keys()), sorted(held.keys() - expected.keys())
    if missing or surplus:
        lacking = [f"{len(missing)} of them are missing, first {missing[0]}"] if missing else []
        lacking += [f"{len(surplus)} have no place, first {surplus[0]}"] if surplus else []
        return f"expected were {len(expected)} matrices, found {len(held)}; {', and '.join(lacking)}"
    for name, shape in expected.items():
        if held[name] != shape:
            return f"expected was {name} of {' x '.join(map(str, shape))}, found {' x '.join(map(str, held[name]))}"
    return None
