"""The training's progress in the terminal: step, loss, time left."""

import sys
import time

from transformers import TrainerCallback


class Progress(TrainerCallback):
    """One line that is rewritten on a terminal, a line per log entry elsewhere."""

    def __init__(self, stream=None):
        self._stream, self._loss = stream or sys.stdout, None  # looked up now: it may have been another at import
        self._terminal = self._stream.isatty()
        self._begun, self._first = 0.0, 0

    def on_train_begin(self, args, state, control, **kwargs):
        self._begun, self._first = time.monotonic(), state.global_step
        if state.global_step:
            print(f"resumed at step {state.global_step}", file=self._stream, flush=True)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if logs and "loss" in logs:
            self._loss = float(logs["loss"])
            self._show(state, end="\n" if not self._terminal else "")
        if logs and "eval_loss" in logs:
            start = "\r\033[K" if self._terminal else ""
            print(f"{start}step {state.global_step}: loss on test rows {float(logs['eval_loss']):.3f}", file=self._stream, flush=True)

    def on_step_end(self, args, state, control, **kwargs):
        if self._terminal:
            self._show(state, end="")

    def on_train_end(self, args, state, control, **kwargs):
        if self._terminal:
            print(file=self._stream)

    def _show(self, state, *, end: str) -> None:
        done, total = state.global_step, state.max_steps
        seconds = (time.monotonic() - self._begun) / max(done - self._first, 1) * (total - done)
        width = 30
        bar = "#" * (done * width // total)
        loss = "  …  " if self._loss is None else f"{self._loss:.3f}"
        start = "\r" if self._terminal else ""
        print(f"{start}[{bar:<{width}}] {done}/{total}  loss {loss}  {int(seconds // 60)}:{int(seconds % 60):02d} left", end=end, file=self._stream, flush=True)
