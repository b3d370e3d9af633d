"""ZeroGPU's rules, enforced by a stand-in for its decorator: what goes into the other process and what comes back is pickled."""

import pickle
import threading

import gradio

from newsft.inference.engine import LocalEngine
from newsft.inference.zerogpu import ZeroBatcher


class Gpu:
    """`spaces.GPU` without the process: pickles arguments and results as its pipe does, and remembers what was decorated and closed.

    One call at a time: there each has a copy of the model, here all have the same one.
    """

    def __init__(self, fails: Exception | None = None):
        self.fails, self.decorated, self.closed, self._lock = fails, [], 0, threading.Lock()
        self.seconds: list[float] = []  # that each call has asked for

    def __call__(self, *, duration):
        def decorate(task):
            self.decorated.append(task.__name__)
            make = self._generator if task.__name__ == "answer" else self._function
            return make(task, duration)

        return decorate

    def _ask(self, duration, given):
        self.seconds.append(duration(*given) if callable(duration) else duration)

    def _function(self, task, duration):
        def handler(*given):
            self._ask(duration, given)
            with self._lock:
                return pickle.loads(pickle.dumps(task(*pickle.loads(pickle.dumps(given)))))

        return handler

    def _generator(self, task, duration):
        def handler(*given):
            self._ask(duration, given)
            if self.fails:
                raise self.fails
            with self._lock:
                steps = task(*pickle.loads(pickle.dumps(given)))
                try:
                    for step in steps:
                        yield pickle.loads(pickle.dumps(step))
                finally:
                    steps.close()
                    self.closed += 1

        return handler


def build_zero(engine: LocalEngine, gpu: Gpu, *, max_new_tokens: int = 24) -> LocalEngine:
    """The engine as it stands on a Space with ZeroGPU."""
    return LocalEngine(
        engine.loaded,
        max_new_tokens=max_new_tokens,
        batcher=lambda decoder: ZeroBatcher(decoder, gpu=gpu, refusal=gradio.Error),
    )
