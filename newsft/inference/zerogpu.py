"""ZeroGPU, where a Space has a GPU only while a decorated function runs: in a process of its own, forked from the page's.

What such a function takes and gives goes through pickle, so it takes prompts and gives tokens; its copy of the decoder came with
the fork. The page's process never runs the model, and locks that its threads may hold at the fork are not asked for behind it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from newsft.errors import UserError
from newsft.inference.decoder import Decoder, Job
from newsft.inference.types import ABORT, NextToken, Request

SECONDS = 60  # the longest that one call may take; ZeroGPU's own default

Step = tuple[
    list[NextToken], dict[int, np.ndarray]
]  # the tokens, and the first token's logits of the rows that have just begun


def answer_alone(decoder: Decoder, requests: Sequence[Request]) -> Iterator[Step]:
    """A job's steps, with nobody else in the decoder. Closing the iterator forgets the job."""
    begun: dict[int, np.ndarray] = {}
    job = Job(requests, on_start=lambda row, logits: begun.update({row: logits.float().cpu().numpy()}))
    decoder.submit(job)
    try:
        while decoder.busy:
            tokens = decoder.step().get(job, [])
            yield tokens, dict(begun)
            begun.clear()
    finally:
        job.stop.set()  # its rows that still wait are dropped before the next job's first step
        decoder.abandon()


class ZeroBatcher:
    """Stands in the place of `worker.Batcher`: every job has a GPU and the model to itself. Safe for threads.

    `gpu` is `spaces.GPU`, which has to decorate the functions before the page is launched; `refusal` is what it raises, whatever has happened:
    Gradio's own error, which only the page may know.
    """

    def __init__(self, decoder: Decoder, *, gpu: Callable[..., Any], refusal: type[Exception]):
        def answer(requests: list[Request]) -> Iterator[Step]:
            yield from answer_alone(decoder, requests)

        def run(function: Callable[[Decoder], Any]) -> Any:
            return function(decoder)

        self._answer, self._run = gpu(duration=SECONDS)(answer), gpu(duration=SECONDS)(run)
        self._refusal = refusal
        self._askers, self._lock = 0, threading.Lock()

    @property
    def askers(self) -> int:
        """How many jobs are being answered or wait for a GPU."""
        return self._askers

    def answer(self, job: Job) -> Iterator[list[NextToken]]:
        """What the job's rows produce, step by step, until all have ended. Closing the iterator stops them.

        Raises UserError with what ZeroGPU says: no GPU was free, the visitor's quota is used up, the call took too long.
        """
        left = set(range(len(job.requests)))
        if not left:
            return
        with self._counted(), self._explained():
            steps = self._answer(list(job.requests))
            try:
                for tokens, begun in steps:
                    job.started = job.started or time.monotonic()
                    for row, logits in begun.items():
                        if job.on_start:
                            job.on_start(row, torch.from_numpy(logits))
                    left -= {token.row for token in tokens if token.reason}
                    if job.stop.is_set():  # the other process cannot see it
                        tokens, left = tokens + [NextToken(row, None, ABORT) for row in sorted(left)], set()
                    yield tokens
                    if not left:
                        return
            finally:
                job.stop.set()
                steps.close()
        raise RuntimeError("ZeroGPU ended the answer without a reason.")

    def call(self, function: Callable[[Decoder], Any]) -> Any:
        """Run something else with the model; its result. Both go through pickle."""
        with self._counted(), self._explained():
            return self._run(function)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._askers += 1
        try:
            yield
        finally:
            with self._lock:
                self._askers -= 1

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._refusal as error:
            raise UserError(f"ZeroGPU did not answer: {error}", key="zero_failed", said=str(error)) from error
