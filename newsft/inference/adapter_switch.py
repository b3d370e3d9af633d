"""Which rows of a batch have the adapter on, switched without touching the model.

`generate(adapter_names=...)` hooks every LoRA layer and unhooks it again for each call, leaves its hooks behind when something raises
(peft#3475), and every layer sorts the rows anew: a fifth of a step of two rows on a CPU. Here the rows are sorted once per pass, and each
LoRA layer computes in our way for as long as the pass lasts; afterwards the model is as PEFT left it, so others may use it too.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch.nn import functional

from newsft.models.load import ADAPTER, BASE


def adapter_of(side: str) -> str:
    """The adapter that PEFT switches on for the rows of a side, BASE for none; any other adapter's side, such as that of a kept step of the training, has the name of the adapter."""
    return {"tuned": ADAPTER, "base": BASE}.get(side, side)


class AdapterSwitch:
    """The adapter state of a model's forward passes. Not safe for threads: there is one state."""

    def __init__(self, model: torch.nn.Module):
        self._model, self._device = model, next(model.parameters()).device
        self.refresh()

    def refresh(self) -> None:
        """To be called when adapters were added to the model: they may have put LoRA layers where there were none."""
        self._layers = [module for module in self._model.modules() if isinstance(module, LoraLayer)]

    def remove(self, side: str) -> None:
        """Delete the weights of a side's adapter."""
        self._model.delete_adapter(adapter_of(side))

    @contextmanager
    def set_rows(self, sides: list[str]) -> Iterator[None]:
        """Within, row r of every batch that passes through the model is one of side `sides[r]`. Raises RuntimeError for an adapter that is not there."""
        names, tuned = [adapter_of(side) for side in sides], self.sort_rows(sides)
        for layer in self._layers:
            if layer.lora_embedding_A or layer.lora_variant:  # an embedding's adapter, or DoRA
                layer.forward = partial(type(layer).forward, layer, adapter_names=names)
            else:
                layer.forward = partial(_apply, layer, tuned)
        try:
            yield
        finally:
            for layer in self._layers:
                del layer.forward  # removes the instance's attribute: the class's method is in effect again

    def sort_rows(self, sides: list[str]) -> dict[str, slice | torch.Tensor]:
        """Each adapter -> what picks its rows of a batch; no entry for rows without one. Raises RuntimeError for an adapter that is not there."""
        rows: dict[str, list[int]] = {}
        for number, name in enumerate(map(adapter_of, sides)):
            if name != BASE:
                rows.setdefault(name, []).append(number)
        self._check_there(rows)
        return {name: self._select(numbers) for name, numbers in rows.items()}

    def _check_there(self, names: Iterable[str]) -> None:
        """A layer passes over adapters that it has not got, as not every adapter has every layer: one that no layer has would answer as the base."""
        there = self._model.peft_config if isinstance(self._model, PeftModel) else ()
        missing = [name for name in names if name not in there]
        if missing and self._layers:
            raise RuntimeError(f"The model has no adapter {missing[0]}.")

    def _select(self, rows: list[int]) -> slice | torch.Tensor:
        """What picks these rows of a batch: a slice where they are neighbours, which is a view, where an index makes a copy."""
        neighbours = rows[-1] - rows[0] == len(rows) - 1
        return slice(rows[0], rows[-1] + 1) if neighbours else torch.tensor(rows, device=self._device)


def _apply(
    layer: LoraLayer, tuned: dict[str, slice | torch.Tensor], states: torch.Tensor, *rest, **named
) -> torch.Tensor:
    """The base's result, and on it what each adapter adds for its rows."""
    result = layer.base_layer(states, *rest, **named)
    for name, rows in tuned.items():  # LoRA's formula, as in PEFT; no dropout, as nothing here trains
        if name not in layer.lora_A:  # its targets are other layers
            continue
        down, up = layer.lora_A[name], layer.lora_B[name]
        share = functional.linear(
            functional.linear(states[rows].to(down.weight.dtype), down.weight), up.weight, up.bias
        )
        result[rows] += share.mul_(layer.scaling[name]).to(result.dtype)
    return result
