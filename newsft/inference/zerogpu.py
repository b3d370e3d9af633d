"""ZeroGPU, where a Space has a GPU only while a decorated function runs: in a process of its own, forked from the page's.

What such a function takes and gives goes through pickle, so it takes prompts and gives tokens; its copy of the decoder came with
the fork. With a large model the page's process never runs it, and locks that its threads may hold at the fork are not asked for behind it.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from newsft.errors import UserError
from newsft.inference.decoder import MOST_ROWS, SMALL_MODEL, Decoder, Job
from newsft.inference.engine import LocalEngine, load_engine
from newsft.inference.types import ABORT, NextToken, Request
from newsft.models.hub import find_files
from newsft.models.memory import estimate_weights
from newsft.recipe import Recipe

# What a call asks for at most, in seconds of the visitor's daily minutes: one that takes longer is ended. Estimates with room, never measured on ZeroGPU:
START_SECONDS = 12.0  # the weights' way to the GPU
PROMPT_SECONDS = 0.001  # per token that is read
ANSWER_SECONDS = 0.04  # per pass, which gives each row at least one token
CALL_SECONDS = 20  # of one pass over one row

Step = tuple[
    list[NextToken], dict[int, np.ndarray]
]  # the tokens, and the first token's logits of the rows that have just begun


def load_zero_engine(
    recipe: Recipe,
    *,
    more: Sequence[str] = (),
    examples: Sequence[str],
    gpu: Callable[..., Any],
    refusal: type[Exception],
    shares: bool = True,
) -> LocalEngine:
    """The engine of a ZeroGPU Space: a model that a CPU answers quickly stays there and spends no minute, a larger one has a GPU for each answer.

    `more` are further adapters, as of `load_engine`; `gpu` and `refusal` are those of `ZeroBatcher`, where every comparison is computed for itself; on the CPU `shares` holds as in `load_engine`.
    """
    folder = find_files(recipe.model)
    if estimate_weights(folder, dtype=torch.float32, quantize="none").parameters > SMALL_MODEL:
        return load_engine(recipe, more=more, examples=examples, batcher=partial(ZeroBatcher, gpu=gpu, refusal=refusal))
    gpu(duration=1)(_never_called)
    return load_engine(recipe, more=more, examples=examples, on_cpu=True, shares=shares)


def _never_called() -> None:
    """ZeroGPU stops a Space in which it finds no decorated function."""


def answer_seconds(requests: Sequence[Request], max_new_tokens: int) -> int:
    """The longest that answers to these requests may take, by the tokens that are read and asked for."""
    read, rounds = sum(len(request.prompt) for request in requests), math.ceil(len(requests) / MOST_ROWS)
    return math.ceil(START_SECONDS + read * PROMPT_SECONDS + rounds * max_new_tokens * ANSWER_SECONDS)


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

    changeable = False  # what is added to this process's model is not in the others' copies
    shares = False  # a call spends the minutes of the visitor in whose thread it is made

    def __init__(self, decoder: Decoder, *, gpu: Callable[..., Any], refusal: type[Exception]):
        def answer(requests: list[Request]) -> Iterator[Step]:
            yield from answer_alone(decoder, requests)

        def run(function: Callable[[Decoder], Any]) -> Any:
            return function(decoder)

        def seconds(requests: list[Request]) -> int:
            return answer_seconds(requests, decoder.max_new_tokens)

        self._answer, self._run = gpu(duration=seconds)(answer), gpu(duration=CALL_SECONDS)(run)
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
