"""Which rows of a batch have the adapter on, switched without touching the model.

`generate(adapter_names=...)` hooks every LoRA layer and unhooks it again for each call, leaves its hooks behind when something raises
(peft#3475), and every layer sorts the rows anew: a fifth of a step of two rows on a CPU. Here the rows are sorted once per pass, and each
LoRA layer computes in our way for as long as the pass lasts; afterwards the model is as PEFT left it, so others may use it too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from peft.tuners.lora import LoraLayer
from torch.nn import functional

from newsft.models.load import ADAPTER, BASE


def adapter_of(side: str) -> str:
    """The adapter that PEFT switches on for the rows of a side; BASE is none."""
    return ADAPTER if side == "tuned" else BASE


@dataclass(frozen=True)
class Rows:
    """The sides of a batch: each row's adapter by PEFT's name, and which rows have one (None: no row)."""

    names: list[str]
    tuned: torch.Tensor | slice | None

    @classmethod
    def of(cls, sides: list[str], device: torch.device) -> "Rows":
        """`tuned` is a slice where these rows are neighbours, as a slice is a view and an index makes a copy."""
        names = [adapter_of(side) for side in sides]
        tuned = [number for number, name in enumerate(names) if name == ADAPTER]
        if not tuned:
            return cls(names, None)
        if tuned[-1] - tuned[0] == len(tuned) - 1:
            return cls(names, slice(tuned[0], tuned[-1] + 1))
        return cls(names, torch.tensor(tuned, device=device))


class AdapterSwitch:
    """The adapter state of a model's forward passes. Not safe for threads: there is one state."""

    def __init__(self, model: torch.nn.Module):
        self._device = next(model.parameters()).device
        self._layers = [module for module in model.modules() if isinstance(module, LoraLayer)]

    def sort_rows(self, sides: list[str]) -> Rows:
        """Row r of a batch is one of side `sides[r]`."""
        return Rows.of(sides, self._device)

    @contextmanager
    def set_rows(self, sides: list[str]) -> Iterator[None]:
        """Within, row r of every batch that passes through the model is one of side `sides[r]`."""
        rows = self.sort_rows(sides)
        for layer in self._layers:
            own = ADAPTER in layer.lora_A and ADAPTER not in layer.lora_variant  # not an embedding's adapter, not DoRA
            layer.forward = partial(_apply, layer, rows) if own else partial(type(layer).forward, layer, adapter_names=rows.names)
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward  # its class's holds again


def _apply(layer: LoraLayer, rows: Rows, states: torch.Tensor, *rest, **named) -> torch.Tensor:
    result = layer.base_layer(states, *rest, **named)
    if rows.tuned is not None:  # LoRA's formula, as in PEFT; no dropout, as nothing here trains
        down, up = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
        share = functional.linear(functional.linear(states[rows.tuned].to(down.weight.dtype), down.weight), up.weight, up.bias)
        result[rows.tuned] += share.mul_(layer.scaling[ADAPTER]).to(result.dtype)
    return result
