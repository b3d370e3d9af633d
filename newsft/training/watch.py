"""A run under the eyes of another program, such as the page: it writes a journal, takes orders, and ends when that program does."""

import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from transformers import TrainerCallback

from newsft.encoding.collate import pad_batch
from newsft.encoding.row import Encoded
from newsft.errors import UserError
from newsft.training.journal import STOP, Journal
from newsft.training.record import LOGGED

ABANDONED = 3  # exit code of a run whose watcher is gone
NICENESS = 10  # the watcher goes first where the cores do not suffice for both


class Stopped(KeyboardInterrupt):
    """The watcher asked the run to end, as Ctrl+C does; its checkpoint is kept."""


class Watch(TrainerCallback):
    """Writes the journal, and ends the run at the next step's end, with a checkpoint, where `asked` is set."""

    def __init__(self, journal: Path):
        self.journal, self.asked, self.step = Journal(journal), threading.Event(), 0
        self.stopped = False

    def follow_orders(self) -> None:
        """From here on take orders from standard input. Its end is the watcher's, however that came about: this process ends at once."""
        if hasattr(os, "nice"):
            os.nice(NICENESS)
        threading.Thread(target=self._listen, args=(sys.stdin.fileno(),), daemon=True).start()

    def _listen(self, source: int) -> None:
        told = b""
        while more := os.read(source, 64):  # not sys.stdin, whose lock a thread that waits would hold to the end
            told += more
            if STOP.encode() in told.split(b"\n")[:-1]:
                self.asked.set()
        os._exit(ABANDONED)

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Write down what ends the run."""
        try:
            yield
        except UserError as error:
            self.journal.write("error", text=str(error), key=error.key, values=error.values)
            raise
        except Stopped:
            self.journal.write("stopped", step=self.step)
            raise

    def show_batch(self, rows: Sequence[Encoded], *, pad_id: int) -> None:
        """Write down the first batch as the model is about to see it."""
        names = ("text", "input_ids", "labels", "attention_mask", "origins", "spans")
        padded = pad_batch(rows, pad_id=pad_id)
        self.journal.write("batch", rows=[{name: getattr(row, name) for name in names} for row in padded])

    def on_train_begin(self, args, state, control, **kwargs):
        """How far it is, and how far it goes."""
        self._begun, self.step = time.monotonic(), state.global_step
        self.journal.write("begin", step=state.global_step, total=state.max_steps)

    def on_log(self, args, state, control, logs=None, **kwargs):
        """A step's loss and what else the run's record will have of it."""
        if "loss" in logs:
            found = {ours: logs[theirs] for ours, theirs in LOGGED.items() if theirs in logs}
            known = {"step": state.global_step, "total": state.max_steps, "seconds": time.monotonic() - self._begun}
            self.journal.write("step", **{name: _number(value) for name, value in (found | known).items()})

    def on_step_end(self, args, state, control, **kwargs):
        """End here, if that was asked for; after the last step the run has ended anyway."""
        self.step = state.global_step
        if self.asked.is_set() and state.global_step < state.max_steps:
            self.stopped = control.should_save = control.should_training_stop = True


def _number(value: object) -> float | int:
    return value if isinstance(value, int) else float(value)
