"""Many threads ask one model: their rows are answered together, step by step, and each thread gets the tokens of its own rows.

One thread runs the model, because the adapter state is global to it. It is started when there is work and ends when there is none.
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from newsft.inference import malloc
from newsft.inference.decoder import Decoder, Job
from newsft.inference.types import NextToken

PATIENCE = 5.0  # seconds without a result after which the waiting thread checks that the model's thread is alive
STALLED = (
    600.0  # seconds that one step may take: reading eight long prompts with a large model on a slow device takes less
)


class Batcher:
    """Lets threads share a decoder; safe for threads."""

    changeable = True  # the model can be changed between two steps
    shares = True  # whether a job of one asker may answer another one too

    def __init__(self, decoder: Decoder):
        self._decoder = decoder
        self._lock = threading.Lock()  # guards the next three attributes; never held while the model runs
        self._calls: deque[Callable[[], None]] = deque()
        self._outboxes: dict[Job, queue.SimpleQueue] = {}
        self._thread: threading.Thread | None = None
        self._beat = 0.0  # time.monotonic() when the thread last began something

    @property
    def askers(self) -> int:
        """How many jobs are being answered or wait."""
        return len(self._outboxes)

    def answer(self, job: Job) -> Iterator[list[NextToken]]:
        """What the job's rows produce, step by step, until all have ended. Closing the iterator stops them.

        Raises RuntimeError where the model failed; other jobs of the same batch fail with it, later ones do not.
        """
        if not job.requests:
            return
        outbox: queue.SimpleQueue[list[NextToken] | BaseException] = queue.SimpleQueue()
        with self._lock:
            self._outboxes[job] = outbox
        left = len(job.requests)
        try:
            self._post(lambda: self._decoder.submit(job))
            while left:
                found = self._hear(outbox)
                if isinstance(found, BaseException):
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
            except BaseException as error:  # SystemExit too: it would end the thread, and everyone would wait for ever
                future.set_exception(error)

        self._post(run)
        while True:
            try:
                return future.result(timeout=PATIENCE)
            except TimeoutError:
                if future.done():  # just now, or the timeout is the function's own
                    return future.result()
                self._check_thread()

    def post(self, function: Callable[[Decoder], Any]) -> None:
        """As `call`, without waiting for it; an exception of the function is only logged."""

        def run() -> None:
            try:
                function(self._decoder)
            except BaseException:  # as in `call`
                logging.getLogger(__name__).exception("the model's thread went on after an error")

        self._post(run)

    def _hear(self, outbox: queue.SimpleQueue) -> list[NextToken] | BaseException:
        while True:
            try:
                return outbox.get(timeout=PATIENCE)
            except queue.Empty:
                try:
                    self._check_thread()
                except RuntimeError:
                    if outbox.empty():  # nothing came just before the thread ended
                        raise

    def _check_thread(self) -> None:
        """RuntimeError where nothing more will come."""
        thread = self._thread
        if thread is None or not thread.is_alive():
            raise RuntimeError("The thread that runs the model has died.")
        if time.monotonic() - self._beat > STALLED:
            raise RuntimeError(f"The model has been at one step for more than {STALLED:.0f} seconds.")

    def _post(self, call: Callable[[], None]) -> None:
        with self._lock:
            self._calls.append(call)
            if self._thread is None or not self._thread.is_alive():
                self._beat = time.monotonic()
                self._thread = threading.Thread(target=self._work, name="model", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                calls = list(self._calls)
                self._calls.clear()
                if not calls and not self._decoder.busy:
                    self._thread = None  # whoever asks next starts another
                    break
            for call in calls:
                self._beat = time.monotonic()
                call()
            if self._decoder.busy:
                self._beat = time.monotonic()
                self._step()
        malloc.trim()  # frees what many jobs at once have taken; at this point no job waits for it

    def _step(self) -> None:
        try:
            found: dict[Job, list[NextToken] | BaseException] = dict(self._decoder.step())
        except BaseException as error:  # as above
            found = dict.fromkeys(self._decoder.abandon(), error)
        with self._lock:
            outboxes = [(self._outboxes.get(job), tokens) for job, tokens in found.items()]
        for outbox, tokens in outboxes:
            if outbox is not None:  # an asker may have left meanwhile
                outbox.put(tokens)
