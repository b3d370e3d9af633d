"""The same question from several askers: requests that are being answered, or were among the last to be, are computed once, as a greedy answer is always the same."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from newsft.inference.decoder import Job
from newsft.inference.types import ABORT, NextToken, Request
from newsft.inference.worker import Batcher

KEPT = 64  # answers that are kept after their end: some tens of kilobytes each
LOOK = 0.1  # seconds after which one who waits looks whether it was stopped

Step = tuple[list[NextToken], float]  # what the rows produced, and the seconds since the first of them was taken up
Summarise = Callable[[dict[int, torch.Tensor]], Any]  # of each request's first logits, by its number


@dataclass(eq=False)
class _Computation:
    """A job, what it has produced so far, and how many are asking for it."""

    requests: Sequence[Request]
    summarise: Summarise
    steps: list[Step] = field(default_factory=list)
    summary: Any = None
    error: Exception | None = None
    whole: bool = False  # every row has come to its own end
    ended: bool = False  # nothing more will come
    askers: int = 0

    def __post_init__(self):
        self.job = Job(self.requests, on_start=self._note)
        self.changed = threading.Condition()
        self._first: dict[int, torch.Tensor] = {}

    def _note(self, row: int, logits: torch.Tensor) -> None:
        self._first[row] = logits
        if len(self._first) == len(self.requests):
            self.summary = self.summarise(self._first)
            self._first = {}  # of a large vocabulary they would be most of what is kept

    def run(self, batcher: Batcher) -> None:
        """Compute to the end, telling those who ask of every step."""
        reasons: list[str] = []
        try:
            for tokens in batcher.answer(self.job):
                now = time.monotonic()
                reasons += [token.reason for token in tokens if token.reason]
                with self.changed:
                    self.whole = len(reasons) == len(self.requests) and ABORT not in reasons
                    self.steps.append((tokens, now - (self.job.started or now)))
                    self.changed.notify_all()
        except Exception as error:  # everyone who asks gets it
            self.error = error

    def end(self) -> None:
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait(self, place: int) -> tuple[list[Step], bool]:
        """The steps from this place on, if need be after a while, and whether these are all."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended or len(self.steps) > place, timeout=LOOK)
            return self.steps[place:], self.ended


class Asked:
    """What one asker gets: the steps, and beside them what was made of the first logits. `shared` where another asker's computation is used."""

    def __init__(self, computation: _Computation, stop: threading.Event, *, shared: bool):
        self._computation, self._stop, self.shared = computation, stop, shared

    @property
    def summary(self) -> Any:
        return self._computation.summary

    def __iter__(self) -> Iterator[Step]:
        left, place, seconds = set(range(len(self._computation.requests))), 0, 0.0
        while left:
            found, ended = self._computation.wait(place)
            for tokens, seconds in found:
                if self._stop.is_set():
                    break
                place, left = place + 1, left - {token.row for token in tokens if token.reason}
                yield tokens, seconds
            if self._stop.is_set() and left:
                yield [NextToken(row, None, ABORT) for row in sorted(left)], seconds
                return
            if ended and place == len(self._computation.steps) and left:
                error = self._computation.error
                raise RuntimeError(
                    str(error)
                ) from error  # one of each asker's own, as each writes its traceback into it


class SharedAnswers:
    """Lets askers of the same requests share a computation. It goes on as long as one of them is there. Safe for threads."""

    def __init__(self, batcher: Batcher):
        self._batcher, self._lock = batcher, threading.Lock()
        self._running: dict[tuple, _Computation] = {}
        self._kept: OrderedDict[tuple, _Computation] = OrderedDict()  # the longest unused first
        self._askers = 0

    @property
    def askers(self) -> int:
        """How many wait for an answer, whoever computes it."""
        return self._askers

    @contextmanager
    def ask(self, requests: Sequence[Request], *, stop: threading.Event, summarise: Summarise) -> Iterator[Asked]:
        """The requests' greedy answers. Iterating raises RuntimeError where the model failed; the next who asks has it computed anew."""
        # A side has the name of its adapter, so answers of different adapters are never taken for one another's.
        key = tuple((tuple(request.prompt), request.side, request.prefix) for request in requests)
        computation, shared = self._join(key, requests, summarise)
        try:
            yield Asked(computation, stop, shared=shared)
        finally:
            self._leave(key, computation)

    def _join(self, key: tuple, requests: Sequence[Request], summarise: Summarise) -> tuple[_Computation, bool]:
        with self._lock:
            computation = self._running.get(key) or self._kept.get(key)
            shared = computation is not None
            if key in self._kept:
                self._kept.move_to_end(key)
            if computation is None:
                computation = _Computation(requests, summarise)
                threading.Thread(target=self._compute, args=(key, computation), name="answer", daemon=True).start()
                self._running[key] = (
                    computation  # once it has a thread: without one, whoever joined would wait for ever
                )
            self._askers += 1
            computation.askers += 1
            return computation, shared

    def _leave(self, key: tuple, computation: _Computation) -> None:
        with self._lock:
            self._askers -= 1
            computation.askers -= 1
            if not (computation.askers or computation.whole) and self._running.get(key) is computation:
                del self._running[key]  # nobody may join what is about to be stopped
                computation.job.stop.set()

    def _compute(self, key: tuple, computation: _Computation) -> None:
        computation.run(self._batcher)
        with self._lock:
            if self._running.get(key) is computation:
                del self._running[key]
            if computation.whole:
                self._kept[key] = computation
                self._kept.move_to_end(key)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        computation.end()


class OwnAnswers:
    """The same for answers that are nobody else's: each is computed in its asker's own thread."""

    def __init__(self, batcher: Batcher):
        self._batcher = batcher

    @property
    def askers(self) -> int:
        """How many are being answered or wait for it."""
        return self._batcher.askers

    @contextmanager
    def ask(self, requests: Sequence[Request], *, stop: threading.Event, summarise: Summarise) -> Iterator["Asking"]:
        """The requests' greedy answers."""
        yield Asking(self._batcher, _Computation(requests, summarise), stop)


class Asking:
    """As `Asked`, of a computation that takes place while it is iterated over."""

    shared = False

    def __init__(self, batcher: Batcher, computation: _Computation, stop: threading.Event):
        self._batcher, self._computation = batcher, computation
        computation.job.stop = stop

    @property
    def summary(self) -> Any:
        return self._computation.summary

    def __iter__(self) -> Iterator[Step]:
        job = self._computation.job
        for tokens in self._batcher.answer(job):
            now = time.monotonic()
            yield tokens, now - (job.started or now)
