"""Which rows of a batch have the adapter on, switched without touching the model.

`generate(adapter_names=...)` hooks every LoRA layer and unhooks it again for each call, leaves its hooks behind when something raises
(peft#3475), and every layer sorts the rows anew: a fifth of a step of two rows on a CPU. Here each layer's forward is wrapped once,
and the rows are sorted once per pass.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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
        """Rows that stand together become a slice: that is a view, where an index makes a copy."""
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
        self._rows: Rows | None = None  # None: PEFT's own state holds
        for module in model.modules():
            if isinstance(module, LoraLayer):
                module.forward = self._wrap(module, module.forward)

    @contextmanager
    def set_rows(self, sides: list[str]) -> Iterator[Rows]:
        """Within, row r of every batch is one of side `sides[r]`."""
        self._rows = Rows.of(sides, self._device)
        try:
            yield self._rows
        finally:
            self._rows = None

    def _wrap(self, layer: LoraLayer, forward: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        if ADAPTER not in layer.lora_A or ADAPTER in layer.lora_variant:  # an embedding's adapter, DoRA: PEFT's own way
            return lambda states, *rest, **named: forward(states, *rest, **(named if self._rows is None else named | {"adapter_names": self._rows.names}))
        down, up, scaling = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER], layer.scaling[ADAPTER]

        def apply(states: torch.Tensor, *rest, **named) -> torch.Tensor:
            rows = self._rows
            if rows is None:
                return forward(states, *rest, **named)
            result = layer.base_layer(states, *rest, **named)
            if rows.tuned is not None:  # LoRA's formula, as in PEFT; no dropout, as nothing here trains
                share = functional.linear(functional.linear(states[rows.tuned].to(down.weight.dtype), down.weight), up.weight, up.bias)
                result[rows.tuned] += share.mul_(scaling).to(result.dtype)
            return result

        return apply
