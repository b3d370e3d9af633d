"""Stands in for ZeroGPU's package `spaces` where there is no ZeroGPU: its rules, and a record of what was asked of it.

`scripts.space --check --zero` puts this folder into the page's PYTHONPATH. As on ZeroGPU, `spaces` has to come before anything that touches CUDA,
the page's process believes that it has a GPU, what a decorated function takes and gives is pickled, and a Space without such a function is stopped.
Unlike there, the function runs in the same process, on the CPU. Each event is a line of JSON in the file that ZERO_STAND_IN_LOG names.
"""

import inspect
import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

if "torch" in sys.modules and sys.modules["torch"].cuda.is_initialized():
    raise RuntimeError("CUDA has been initialized before importing the `spaces` package.")

import gradio
import torch

_decorated: list[str] = []


def _note(**event: Any) -> None:
    with Path(os.environ["ZERO_STAND_IN_LOG"]).open("a", encoding="utf-8") as log:
        log.write(json.dumps(event) + "\n")


def GPU(task: Callable | None = None, *, duration: Any = None, size: str | None = None) -> Callable:
    """The decorator, with or without settings; `duration` is in seconds, or a function of what the task is given."""
    return _decorate(task, duration) if task else lambda decorated: _decorate(decorated, duration)


def _decorate(task: Callable, duration: Any) -> Callable:
    _decorated.append(task.__qualname__)
    _note(event="decorated", task=task.__qualname__)

    def ask(given: tuple) -> tuple:
        seconds = duration(*given) if callable(duration) else 60 if duration is None else duration
        seconds = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
        _note(event="gpu", task=task.__qualname__, seconds=seconds)
        return _through_pipe(given)

    @wraps(task)
    def once(*given: Any) -> Any:
        return _through_pipe(task(*ask(given)))

    @wraps(task)
    def steps(*given: Any) -> Iterator:
        yield from map(_through_pipe, task(*ask(given)))

    return steps if inspect.isgeneratorfunction(task) else once


def gradio_auto_wrap(function: Callable | None) -> Callable | None:
    """Gradio asks it of every event's function; it decorates none unless a Space wants that."""
    return function


def _through_pipe(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def _launch(page: gradio.Blocks, *given: Any, **settings: Any) -> Any:
    if not _decorated:
        raise RuntimeError("No @spaces.GPU function detected during startup")
    _note(event="launch", decorated=_decorated)
    return _original(page, *given, **settings)


_original, gradio.Blocks.launch = gradio.Blocks.launch, _launch
torch.cuda.is_available = lambda: True
# No Space has it, and with a torch for CPUs it cannot be imported where a GPU seems to be there.
sys.modules["bitsandbytes"] = None
