"""What LoRA adds to a model, counted from the model's configuration, and how far a trained adapter moves each layer."""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

from newsft.models.adapter_files import read_config

# The shape of NCSOFT/Llama-VARCO-8B-Instruct, Llama 3 8B's, by its config.json: figures for it need no download.
VARCO_SHAPE = {
    "model_type": "llama",
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
}
MATRIX = re.compile(r"\.layers\.(\d+)\.(?:.*\.)?(\w+)\.lora_A\.weight$")


@dataclass(frozen=True)
class Target:
    """The layers of one name, such as q_proj: W is (outputs, inputs), A (rank, inputs), B (outputs, rank)."""

    name: str
    layers: int
    inputs: int
    outputs: int
    rank: int

    @property
    def parameters(self) -> int:
        """Trained numbers in A and B of all its layers."""
        return self.layers * self.rank * (self.inputs + self.outputs)


@dataclass(frozen=True)
class LoraShape:
    """An adapter's matrices by target, and the base that they are added to."""

    targets: tuple[Target, ...]
    rank: int
    alpha: float
    base_parameters: int

    @property
    def scaling(self) -> float:
        """What B·A is multiplied by before it is added to W."""
        return self.alpha / self.rank

    @property
    def parameters(self) -> int:
        """All trained numbers."""
        return sum(target.parameters for target in self.targets)


def read_shape(config: dict) -> PretrainedConfig:
    """A model's configuration from what its config.json holds; ValueError for a kind of model that transformers does not know."""
    return AutoConfig.for_model(**config)


def measure_shape(config: PretrainedConfig, *, rank: int, alpha: float, targets: Collection[str]) -> LoraShape:
    """The matrices that LoRA adds to every linear layer whose name is among `targets`, in a model of this configuration. Takes no memory for weights."""
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    found: Counter[tuple[str, int, int]] = Counter()
    for path, module in model.named_modules():
        name = path.rpartition(".")[2]
        if name in targets and isinstance(module, torch.nn.Linear):
            found[name, module.in_features, module.out_features] += 1
    made = tuple(
        Target(name, layers, inputs, outputs, rank) for (name, inputs, outputs), layers in found.items()
    )  # in the order in which the model has them
    return LoraShape(made, rank, alpha, model.num_parameters())


def measure_norms(folder: Path) -> dict[str, dict[int, float]]:
    """Target -> layer -> Frobenius norm of alpha / r · B·A: what the adapter in `folder` adds to W. All 0 before the first step, as B is.

    Raises UserError where the folder holds no plain LoRA adapter.
    """
    config = read_config(folder)
    weights = load_file(folder / SAFETENSORS_WEIGHTS_NAME)
    scaling = config.lora_alpha / (config.r**0.5 if config.use_rslora else config.r)
    found: dict[str, dict[int, float]] = {}
    for name, down in weights.items():
        if place := MATRIX.search(name):
            up = weights[name.replace("lora_A", "lora_B")]
            norm = (up.float() @ down.float()).norm().item() * scaling
            found.setdefault(place[2], {})[int(place[1])] = norm
    return {target: dict(sorted(norms.items())) for target, norms in sorted(found.items())}


def has_moved(folder: Path) -> bool:
    """Whether the adapter in `folder` adds anything to any layer: B, which begins as zeros, is no longer zero. UserError as `measure_norms`."""
    return any(norm > 0 for norms in measure_norms(folder).values() for norm in norms.values())
