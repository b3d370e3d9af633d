"""Which rows of a batch have the adapter on: PEFT's mixed batches, switched without touching the model.

`generate(adapter_names=...)` hooks every LoRA layer and unhooks it again for each call, a tenth of a step's time on a CPU, and leaves its
hooks behind when something raises (peft#3475). Here each layer is hooked once, and the hook asks what holds now.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft.tuners.lora import LoraLayer

from newsft.models import ADAPTER, BASE


def adapter_of(side: str) -> str:
    """The adapter that PEFT switches on for the rows of a side; BASE is none."""
    return ADAPTER if side == "tuned" else BASE


class AdapterSwitch:
    """The adapter state of a model's forward passes. Not safe for threads: there is one state."""

    def __init__(self, model: torch.nn.Module):
        self._names: list[str] | None = None  # None: the adapter is on for every row
        for module in model.modules():
            if isinstance(module, LoraLayer):
                module.register_forward_pre_hook(self._name_rows, with_kwargs=True)

    @contextmanager
    def set_rows(self, sides: list[str]) -> Iterator[None]:
        """Within, row r of every batch is one of side `sides[r]`."""
        names = [adapter_of(side) for side in sides]
        self._names = None if all(name == ADAPTER for name in names) else names  # telling rows apart costs time
        try:
            yield
        finally:
            self._names = None

    def _name_rows(self, module: torch.nn.Module, positional: tuple, named: dict) -> tuple[tuple, dict]:
        return positional, named if self._names is None else named | {"adapter_names": self._names}
