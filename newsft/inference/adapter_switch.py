"""Which rows of a batch have the adapter on, switched without touching the model.

`generate(adapter_names=...)` hooks every LoRA layer and unhooks it again for each call, leaves its hooks behind when something raises
(peft#3475), and every layer sorts the rows anew: a fifth of a step of two rows on a CPU. Here the rows are sorted once per pass, and each
LoRA layer computes in our way for as long as the pass lasts; afterwards the model is as PEFT left it, so others may use it too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from peft.tuners.lora import LoraLayer
from torch.nn import functional

from newsft.models.load import ADAPTER, BASE


def adapter_of(side: str) -> str:
    """The adapter that PEFT switches on for the rows of a side; BASE is none."""
    return ADAPTER if side == "tuned" else BASE


class AdapterSwitch:
    """The adapter state of a model's forward passes. Not safe for threads: there is one state."""

    def __init__(self, model: torch.nn.Module):
        self._device = next(model.parameters()).device
        self._layers = [module for module in model.modules() if isinstance(module, LoraLayer)]

    @contextmanager
    def set_rows(self, sides: list[str]) -> Iterator[None]:
        """Within, row r of every batch that passes through the model is one of side `sides[r]`."""
        names = [adapter_of(side) for side in sides]
        tuned = self._select([number for number, name in enumerate(names) if name == ADAPTER])
        for layer in self._layers:
            if ADAPTER in layer.lora_A and ADAPTER not in layer.lora_variant:
                layer.forward = partial(_apply, layer, tuned)
            else:  # an embedding's adapter, or DoRA
                layer.forward = partial(type(layer).forward, layer, adapter_names=names)
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward  # removes the instance's attribute: the class's method is in effect again

    def _select(self, rows: list[int]) -> slice | torch.Tensor | None:
        """What picks these rows of a batch: a slice where they are neighbours, which is a view, where an index makes a copy; None for no row."""
        if not rows:
            return None
        neighbours = rows[-1] - rows[0] == len(rows) - 1
        return slice(rows[0], rows[-1] + 1) if neighbours else torch.tensor(rows, device=self._device)


def _apply(layer: LoraLayer, tuned: slice | torch.Tensor | None, states: torch.Tensor, *rest, **named) -> torch.Tensor:
    result = layer.base_layer(states, *rest, **named)
    if tuned is not None:  # LoRA's formula, as in PEFT; no dropout, as nothing here trains
        down, up = layer.lora_A[ADAPTER], layer.lora_B[ADAPTER]
        share = functional.linear(
            functional.linear(states[tuned].to(down.weight.dtype), down.weight), up.weight, up.bias
        )
        result[tuned] += share.mul_(layer.scaling[ADAPTER]).to(result.dtype)
    return result
