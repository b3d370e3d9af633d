"""Many sessions at one page: whose comparison is whose, and which place those have that wait."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from newsft import compat
from newsft.inference.decoder import MOST_ROWS
from newsft.page.texts import say

QUEUE_LENGTH = 200  # waiting events; a class of a hundred fits twice
# As many at once as fit into the model's batch; the others wait in Gradio's queue.
MODEL = {"concurrency_id": "model", "concurrency_limit": MOST_ROWS // 2}
KEPT_PRESSES = 2_000  # presses that are remembered; anybody can send them, so beyond this number the oldest are dropped


class Stop(threading.Event):
    """Set where a comparison is to end; `cleared` where its session does not want to see it any more either."""

    cleared = False


class Stops:
    """One stop flag for each comparison, found by the session that asked for it; safe for threads."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pressed: OrderedDict[str, Stop] = OrderedDict()  # of those who wait in the queue
        self._running: dict[str, set[Stop]] = {}

    def press(self, session: str) -> None:
        """From here on the session's next comparison can be stopped, before it has begun too."""
        with self._lock:
            self._pressed[session] = Stop()
            while len(self._pressed) > KEPT_PRESSES:
                self._pressed.popitem(last=False)

    @contextmanager
    def run(self, session: str) -> Iterator[Stop]:
        """The flag of a comparison that begins; forgotten when it has ended."""
        with self._lock:
            flag = self._pressed.pop(session, None) or Stop()
            self._running.setdefault(session, set()).add(flag)
        try:
            yield flag
        finally:
            with self._lock:
                self._running[session].discard(flag)
                if not self._running[session]:
                    del self._running[session]

    def stop(self, session: str, *, clear: bool = False) -> None:
        """Stop this session's comparisons, no other's; with `clear`, nothing of them is shown any more."""
        with self._lock:
            for flag in (
                *self._running.get(session, ()),
                *([self._pressed[session]] if session in self._pressed else ()),
            ):
                flag.cleared = flag.cleared or clear
                flag.set()


def find_place(page: gr.Blocks, session: str) -> int | None:
    """Which place the session has among those who wait for the model, from 1; None where it does not wait."""
    # Gradio's own page shows it in English only and beside every component that waits.
    waiting = compat.waiting_sessions(page, MODEL["concurrency_id"])
    return waiting.index(session) + 1 if session in waiting else None


def refuse_when_full(page: gr.Blocks, title: str, language: str) -> None:
    """Raises gr.Error, headed by the text of that name, where Gradio's queue would refuse one more without a word."""
    if compat.count_waiting(page) >= QUEUE_LENGTH:
        message = say("error_full", language, limit=QUEUE_LENGTH)
        raise gr.Error(message, title=say(title, language), print_exception=False)
