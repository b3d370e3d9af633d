"""What is ZeroGPU's own among engines: the GPU is freed, and what it says reaches the reader."""

import dataclasses
import threading

import gradio
import pytest

import app
from newsft.data.messages import row_messages
from newsft.errors import UserError
from newsft.inference.engine import LocalEngine
from newsft.inference.token_loss import take_xray
from newsft.inference.types import ABORT, Request
from newsft.inference.worker import Batcher
from newsft.inference.zerogpu import CALL_SECONDS, ZeroBatcher, answer_seconds, load_zero_engine
from newsft.recipe import RECIPES
from tests.inference.stand_in_gpu import Gpu, build_zero


def ask(engine, row, **settings):
    *_, last = engine.compare(row["user_prompt"], system_prompt=row["system_prompt"], **settings)
    return last


def texts(comparison):
    return {side: (answer.text, answer.tokens, answer.reason) for side, answer in comparison.answers.items()}


def test_answers_difference_and_x_ray_are_those_of_the_ordinary_engine(engine, rows):
    gpu, plain = Gpu(), LocalEngine(engine.loaded, max_new_tokens=24)
    zero = build_zero(engine, gpu)
    for row in rows[:2]:  # the second one finds what the first has left
        found, right = ask(zero, row), ask(plain, row)
        assert texts(found) == texts(right)
        assert found.difference == pytest.approx(right.difference)
    encoded = engine.loaded.chat.encode_row(row_messages(rows[0]))
    assert take_xray(zero, encoded).losses == take_xray(plain, encoded).losses
    assert gpu.decorated == ["answer", "run"]  # before any launch
    assert (gpu.closed, zero.askers) == (2, 0)


def test_gpu_is_asked_for_by_the_tokens_and_not_always_for_a_minute(engine, rows):
    gpu = Gpu()
    ask(build_zero(engine, gpu, max_new_tokens=8), rows[0])
    ask(build_zero(engine, gpu, max_new_tokens=512), rows[0])
    few, many = gpu.seconds
    assert few < many < 60 and isinstance(few, int)
    take_xray(build_zero(engine, gpu), engine.loaded.chat.encode_row(row_messages(rows[0])))
    assert gpu.seconds[-1] == CALL_SECONDS
    prompt = Request([1] * 2_000)
    assert answer_seconds([prompt] * 2, 1024) > answer_seconds([prompt], 1024) > answer_seconds([Request([1])], 1024)
    assert answer_seconds([prompt] * 33, 1024) > 40 + answer_seconds([prompt] * 32, 1024)  # two batches


def test_model_that_a_cpu_answers_quickly_spends_no_gpu_time(rows, monkeypatch):
    gpu, mini = Gpu(), dataclasses.replace(RECIPES["mini"], max_new_tokens=8)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)  # as in the page's process on ZeroGPU, which has none
    zero = load_zero_engine(mini, examples=[], gpu=gpu, refusal=gradio.Error)
    assert ask(zero, rows[0]).answers["tuned"].tokens == 8
    assert gpu.decorated and gpu.seconds == []  # one function has to be, or ZeroGPU stops the Space
    assert isinstance(zero._batcher, Batcher) and zero.decoding["device"] == "cpu"


def test_larger_model_is_asked_where_a_gpu_is(monkeypatch):
    monkeypatch.setattr("newsft.inference.zerogpu.SMALL_MODEL", 1_000_000)
    gpu = Gpu()
    zero = load_zero_engine(RECIPES["mini"], examples=[], gpu=gpu, refusal=gradio.Error)
    assert isinstance(zero._batcher, ZeroBatcher) and gpu.decorated == ["answer", "run"]


def test_stop_is_heard_by_the_page_and_frees_the_gpu(engine, rows):
    gpu, stop = Gpu(), threading.Event()
    zero = build_zero(engine, gpu)
    running = zero.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], stop=stop)
    next(running)
    assert zero.askers == 1
    stop.set()
    *_, last = running
    assert {answer.reason for answer in last.answers.values()} == {ABORT}
    assert (gpu.closed, zero.askers) == (1, 0)
    assert ask(zero, rows[0]).answers["tuned"].tokens > 1


def test_visitor_who_leaves_frees_the_gpu(engine, rows):
    gpu = Gpu()
    zero = build_zero(engine, gpu)
    running = zero.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    next(running)
    running.close()
    assert (gpu.closed, zero.askers) == (1, 0)


def test_what_zerogpu_says_reaches_the_reader(engine, rows):
    zero = build_zero(engine, Gpu(fails=gradio.Error("You have exceeded your GPU quota")))
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
