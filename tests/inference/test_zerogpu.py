"""ZeroGPU's rules, enforced by a stand-in for its decorator: what goes into the other process and what comes back is pickled."""

import pickle
import threading

import pytest

import app
from newsft.data.messages import row_messages
from newsft.errors import UserError
from newsft.inference.engine import Engine
from newsft.inference.token_loss import take_xray
from newsft.inference.types import STOPPED
from newsft.inference.zerogpu import ZeroBatcher


class Gpu:
    """`spaces.GPU` without the process: pickles arguments and results as its pipe does, and remembers what was decorated and closed."""

    def __init__(self, fails: Exception | None = None):
        self.fails, self.decorated, self.closed = fails, [], 0

    def __call__(self, *, duration):
        def decorate(task):
            self.decorated.append(task.__name__)
            return self._generator(task) if task.__name__ == "answer" else lambda *given: pickle.loads(pickle.dumps(task(*pickle.loads(pickle.dumps(given)))))

        return decorate

    def _generator(self, task):
        def handler(*given):
            if self.fails:
                raise self.fails
            steps = task(*pickle.loads(pickle.dumps(given)))
            try:
                for step in steps:
                    yield pickle.loads(pickle.dumps(step))
            finally:
                steps.close()
                self.closed += 1

        return handler


def build(engine, gpu, **settings):
    return Engine(engine.loaded, max_new_tokens=settings.pop("max_new_tokens", 24), batcher=lambda decoder: ZeroBatcher(decoder, gpu=gpu))


def ask(engine, row, **settings):
    *_, last = engine.compare(row["user_prompt"], system_prompt=row["system_prompt"], **settings)
    return last


def texts(comparison):
    return {side: (answer.text, answer.tokens, answer.reason) for side, answer in comparison.answers.items()}


def test_answers_difference_and_x_ray_are_those_of_the_ordinary_engine(engine, rows):
    gpu, plain = Gpu(), Engine(engine.loaded, max_new_tokens=24)
    zero = build(engine, gpu)
    for row in rows[:2]:  # the second one finds what the first has left
        found, right = ask(zero, row), ask(plain, row)
        assert texts(found) == texts(right)
        assert found.difference == pytest.approx(right.difference)
    encoded = engine.loaded.chat.encode_row(row_messages(rows[0]))
    assert take_xray(zero, encoded).losses == take_xray(plain, encoded).losses
    assert gpu.decorated == ["answer", "run"]  # before any launch
    assert (gpu.closed, zero.askers) == (2, 0)


def test_stop_is_heard_by_the_page_and_frees_the_gpu(engine, rows):
    gpu, stop = Gpu(), threading.Event()
    zero = build(engine, gpu)
    running = zero.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], stop=stop)
    next(running)
    assert zero.askers == 1
    stop.set()
    *_, last = running
    assert {answer.reason for answer in last.answers.values()} == {STOPPED}
    assert (gpu.closed, zero.askers) == (1, 0)
    assert ask(zero, rows[0]).answers["tuned"].tokens > 1


def test_visitor_who_leaves_frees_the_gpu(engine, rows):
    gpu = Gpu()
    zero = build(engine, gpu)
    running = zero.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    next(running)
    running.close()
    assert (gpu.closed, zero.askers) == (1, 0)


def test_what_zerogpu_says_reaches_the_reader(engine, rows):
    zero = build(engine, Gpu(fails=Exception("You have exceeded your GPU quota")))
    with pytest.raises(UserError, match="exceeded your GPU quota") as caught:
        ask(zero, rows[0])
    assert caught.value.key == "zero_failed" and zero.askers == 0


def test_package_is_asked_for_on_zerogpu_only(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert app.import_spaces() is None
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(__import__("sys").modules, "spaces", None)
    with pytest.raises(UserError, match="pip install spaces"):
        app.import_spaces()
