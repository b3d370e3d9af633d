"""How much memory a model needs and how much is there: computed from the headers of its files, before any weight is read."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import psutil
import torch
from safetensors import safe_open

GB = 1e9
NF4_BYTES = (
    0.5 + 1 / 64 + 4 / (64 * 256)
)  # a weight's 4 bits, and its share of the scales: one byte for 64 weights, one fp32 for 256 of those (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314)
# Of one token in one layer, in bytes of a two-byte type and in units of the hidden size: what a forward pass keeps for the backward pass.
# Measured: 5.34 MB a token of VARCO's shape with the recipe's adapter on an H200, at 5,228 and at 11,814 tokens in a pass (benchmarks/LOG.md).
# By the literature it is 34 without an adapter (Korthikanti et al. 2022, https://arxiv.org/abs/2205.05198, equation 2, without the scores).
KEPT_PER_LAYER = 41
OUTSIDE_LINEAR = ("embed_tokens", "lm_head")  # stay as they are when the linear layers are quantised


@dataclass(frozen=True)
class Need:
    """Parameters, and the bytes of the weights as they will be loaded."""

    parameters: int
    weights: int


def estimate_weights(folder: Path, *, dtype: torch.dtype, quantize: str) -> Need:
    """What the *.safetensors files of `folder` take in memory as `dtype`, the linear layers in 4 bits where `quantize` says so."""
    parameters, weights = 0, 0.0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no dict
                shape = file.get_slice(name).get_shape()
                linear = len(shape) == 2 and not any(part in name for part in OUTSIDE_LINEAR)
                parameters += prod(shape)
                weights += prod(shape) * (NF4_BYTES if linear and quantize == "4bit" else dtype.itemsize)
    return Need(parameters, round(weights))


def free_bytes(device: str) -> int:
    """Memory that is free on the device: the GPU's, or the machine's."""
    return torch.cuda.mem_get_info()[0] if device == "cuda" else psutil.virtual_memory().available


def estimate_activations(tokens: int, *, layers: int, hidden: int, dtype: torch.dtype) -> int:
    """Bytes that a forward pass over `tokens` keeps for its backward pass without gradient checkpointing, at most."""
    return tokens * layers * hidden * KEPT_PER_LAYER * dtype.itemsize // 2
