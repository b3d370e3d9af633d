"""Many askers, one model: what they ask is answered together, step by step, each hearing of its own rows only.

One thread runs the model, because the adapter state is global to it. The thread is there while there is work.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from newsft.decoding import Decoder, Job, Token

PATIENCE = 5.0  # seconds without a word after which an asker looks whether the thread still lives


class Batcher:
    """Lets threads share a decoder; safe for threads."""

    def __init__(self, decoder: Decoder):
        self._decoder = decoder
        self._lock = threading.Lock()  # around the three below, never around the model
        self._calls: deque[Callable[[], None]] = deque()
        self._outboxes: dict[Job, queue.SimpleQueue] = {}
        self._thread: threading.Thread | None = None

    @property
    def askers(self) -> int:
        """How many jobs are being answered or wait."""
        return len(self._outboxes)

    def answer(self, job: Job) -> Iterator[list[Token]]:
        """What the job's rows produce, step by step, until all have ended. Closing the iterator stops them.

        Raises RuntimeError where the model failed; other jobs of the same batch fail with it, later ones do not.
        """
        if not job.requests:
            return
        outbox: queue.SimpleQueue[list[Token] | Exception] = queue.SimpleQueue()
        with self._lock:
            self._outboxes[job] = outbox
        left = len(job.requests)
        try:
            self._post(lambda: self._decoder.submit(job))
            while left:
                found = self._hear(outbox)
                if isinstance(found, Exception):
                    raise RuntimeError(f"The model failed while answering: {found}") from found
                left -= sum(token.reason is not None for token in found)
                yield found
        finally:
            job.stop.set()
            with self._lock:
                del self._outboxes[job]

    def call(self, function: Callable[[Decoder], Any]) -> Any:
        """Run something else with the model, between two steps; its result, or its exception."""
        future: Future = Future()

        def run() -> None:
            try:
                future.set_result(function(self._decoder))
            except Exception as error:
                future.set_exception(error)

        self._post(run)
        return future.result()

    def _hear(self, outbox: queue.SimpleQueue) -> list[Token] | Exception:
        while True:
            try:
                return outbox.get(timeout=PATIENCE)
            except queue.Empty:
                thread = self._thread
                if (thread is None or not thread.is_alive()) and outbox.empty():
                    raise RuntimeError("The thread that runs the model has died.") from None

    def _post(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._calls.append(call)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="model", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                calls = list(self._calls)
                self._calls.clear()
                if not calls and not self._decoder.busy:
                    self._thread = None  # whoever asks next starts another
                    return
            for call in calls:
                call()
            if self._decoder.busy:
                self._step()

    def _step(self) -> None:
        try:
            found: dict[Job, list[Token] | Exception] = dict(self._decoder.step())
        except Exception as error:
            found = dict.fromkeys(self._decoder.abandon(), error)
        with self._lock:
            outboxes = [(self._outboxes.get(job), tokens) for job, tokens in found.items()]
        for outbox, tokens in outboxes:
            if outbox is not None:  # an asker may have left meanwhile
                outbox.put(tokens)
