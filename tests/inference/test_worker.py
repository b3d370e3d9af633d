"""Many askers at once: each hears of its own rows only, and one that stops, leaves or meets an error disturbs no later one."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from transformers import MistralConfig, MistralForCausalLM

from newsft.data.messages import row_messages
from newsft.errors import UserError
from newsft.inference.decoder import Decoder, Job
from newsft.inference.engine import LocalEngine
from newsft.inference.token_loss import take_xray
from newsft.inference.types import ABORT, Request


@pytest.fixture(scope="module")
def brief(engine):
    """The shipped model with short answers: what is tested here is who gets which."""
    return LocalEngine(engine.loaded, max_new_tokens=24, shares=False)


def ask(engine: LocalEngine, row: dict, system_prompt: str | None = None, **settings):
    *_, last = engine.compare(
        row["user_prompt"], system_prompt=row["system_prompt"] if system_prompt is None else system_prompt, **settings
    )
    return {side: (answer.text, answer.reason) for side, answer in last.answers.items()}


def test_askers_with_different_system_prompts_share_a_batch(brief, rows, monkeypatch):
    chosen = [(row, prompt) for row in rows[:3] for prompt in (None, "뉴스를 한 문장으로 요약해 주세요.", "")]
    alone = [ask(brief, *one) for one in chosen]
    sizes, advance = [], Decoder._advance
    monkeypatch.setattr(Decoder, "_advance", lambda decoder: sizes.append(len(decoder._rows)) or advance(decoder))
    with ThreadPoolExecutor(len(chosen)) as pool:
        assert list(pool.map(lambda one: ask(brief, *one), chosen)) == alone
    assert max(sizes) > 2  # answered together, not in turn


def test_proposed_tokens_save_passes_and_change_no_answer(brief, rows, monkeypatch):
    prompt = brief.encode(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    answers, passes = {}, {}
    for most in (0, 5):
        monkeypatch.setattr("newsft.inference.decoder.MOST_PROPOSED", most)
        steps = list(brief.generate([Request(prompt.ids, side, prompt.shared) for side in brief.sides]))
        passes[most] = len(steps)
        answers[most] = [
            [(token.token, token.reason) for step in steps for token in step if token.row == row] for row in range(2)
        ]
    assert answers[5] == answers[0]
    assert passes[5] < 0.9 * passes[0]


def test_rows_begin_in_the_order_in_which_they_came(brief, rows, monkeypatch):
    monkeypatch.setattr("newsft.inference.decoder.MOST_ROWS", 2)
    order, decoder = [], brief._decoder
    prompt = brief.encode(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    jobs = [
        Job(
            [Request(prompt.ids, side, prompt.shared) for side in brief.sides],
            on_start=lambda row, _, number=number: order.append((number, row)),
        )
        for number in range(4)
    ]
    for job in jobs:
        decoder.submit(job)
    while decoder.busy:
        decoder.step()
    assert order == [(number, row) for number in range(4) for row in range(2)]
    assert [job.started for job in jobs] == sorted(job.started for job in jobs)


def test_one_that_stops_or_leaves_does_not_change_the_others_answers(brief, rows):
    right = ask(brief, rows[0])
    stop, others_begun = threading.Event(), threading.Barrier(3)

    def run(kind: str):
        seen = []
        running = brief.compare(
            rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], stop=stop if kind == "stops" else None
        )
        for comparison in running:
            seen.append(comparison)
            if len(seen) == 1:
                others_begun.wait(timeout=60)
                stop.set()
                if kind == "leaves":
                    running.close()
        return {side: (answer.text, answer.reason) for side, answer in seen[-1].answers.items()}

    with ThreadPoolExecutor(3) as pool:
        stays, stops, leaves = pool.map(run, ("stays", "stops", "leaves"))
    assert stays == right
    assert {reason for _, reason in stops.values()} == {ABORT}
    assert {reason for _, reason in leaves.values()} == {None}
    assert brief.askers == 0


def test_error_in_the_middle_reaches_everyone_in_the_batch_and_nobody_later(brief, rows):
    right = [ask(brief, row) for row in rows[:2]]
    begun, broken = threading.Barrier(2), threading.Event()

    def fail(*_):
        if broken.is_set():
            raise torch.OutOfMemoryError("injected")

    def run(row: dict):
        for number, _ in enumerate(brief.compare(row["user_prompt"], system_prompt=row["system_prompt"])):
            if number == 0:
                begun.wait(timeout=60)
                broken.set()

    handle = brief.loaded.model.get_base_model().lm_head.register_forward_hook(
        fail
    )  # what every pass goes through, whichever way
    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(run, row) for row in rows[:2]]
        for one in running:
            with pytest.raises(RuntimeError, match="injected"):
                one.result()
    handle.remove()
    assert [ask(brief, row) for row in rows[:2]] == right


def test_row_is_x_rayed_between_the_steps_of_a_comparison(brief, rows):
    encoded = brief.loaded.chat.encode_row(row_messages(rows[1]))
    quiet, right = take_xray(brief, encoded), ask(brief, rows[0])
    running = brief.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    next(running)
    assert take_xray(brief, encoded) == quiet
    *_, last = running
    assert {side: (answer.text, answer.reason) for side, answer in last.answers.items()} == right


def test_exception_of_a_call_is_the_callers(brief, rows):
    def fail(decoder):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        brief._batcher.call(fail)
    assert ask(brief, rows[0])


def test_no_requests_need_no_model(brief):
    assert list(brief.generate([])) == []


def test_the_thread_that_runs_the_model_ends_when_there_is_nothing_to_do(brief, rows):
    ask(brief, rows[0])
    thread = brief._batcher._thread
    if thread is not None:
        thread.join(timeout=10)
    assert brief._batcher._thread is None


def test_model_that_hangs_is_an_error_in_time_and_answers_again_afterwards(brief, rows, monkeypatch):
    right, hangs = ask(brief, rows[0]), threading.Event()
    monkeypatch.setattr("newsft.inference.worker.PATIENCE", 0.1)
    monkeypatch.setattr("newsft.inference.worker.STALLED", 0.3)
    handle = brief.loaded.model.get_base_model().register_forward_pre_hook(lambda *_: hangs.wait(60) and None)
    with pytest.raises(RuntimeError, match="one step for more than"):
        ask(brief, rows[1])
    with pytest.raises(RuntimeError, match="one step for more than"):
        take_xray(brief, brief.loaded.chat.encode_row(row_messages(rows[1])))
    handle.remove()
    hangs.set()
    monkeypatch.undo()
    assert ask(brief, rows[0]) == right


def test_exit_inside_the_model_ends_the_answer_and_not_the_thread(brief, rows):
    def leave(*_):
        raise SystemExit

    handle = brief.loaded.model.get_base_model().register_forward_pre_hook(leave)
    with pytest.raises(RuntimeError, match="failed while answering"):
        ask(brief, rows[0])
    handle.remove()
    assert ask(brief, rows[0])["tuned"][0]


def test_caches_of_system_prompts_are_kept_up_to_a_number_of_tokens_the_used_ones_longest(brief, rows, monkeypatch):
    own, first, second = rows[0]["system_prompt"], "뉴스를 요약해 주세요.", "기사를 한 문장으로 줄여 주세요."
    decoder = brief._decoder

    def kept() -> list[int]:
        return [len(tokens) for _, tokens in decoder._prefixes]

    def length(prompt: str) -> int:
        return brief.encode(rows[0]["user_prompt"], system_prompt=prompt).shared

    decoder._prefixes.clear()
    monkeypatch.setattr("newsft.inference.decoder.KEPT_TOKENS", 2 * (length(own) + length(second)))
    for prompt in (own, first, own, second):
        ask(brief, rows[0], prompt)
    assert kept() == [length(own)] * 2 + [length(second)] * 2
    monkeypatch.setattr("newsft.inference.decoder.KEPT_TOKENS", 0)
    ask(brief, rows[0], first)
    assert kept() == [length(first)] * 2  # what is in use is never dropped
    decoder.abandon()
    assert kept() == []  # it may have been memory that was lacking


def test_model_whose_attention_takes_no_such_mask_is_refused():
    config = {
        "vocab_size": 20,
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "max_position_embeddings": 64,
    }
    windowed = MistralForCausalLM(MistralConfig(**config, sliding_window=16))
    with pytest.raises(UserError, match="window of 16"):
        Decoder(windowed, stop_ids=[0], max_new_tokens=4)
    Decoder(MistralForCausalLM(MistralConfig(**config, sliding_window=None)), stop_ids=[0], max_new_tokens=4)
    windowed.config._attn_implementation_internal = "flash_attention_2"
    with pytest.raises(UserError, match="--attention sdpa"):
        Decoder(windowed, stop_ids=[0], max_new_tokens=4)


def test_row_that_is_stopped_while_the_stopped_ones_are_dropped_is_told_at_the_next_look():
    class Late(threading.Event):
        """Set from the second time on that it is asked for."""

        def is_set(self) -> bool:
            before = super().is_set()
            self.set()
            return before

    job, found = Job([], stop=Late()), {}
    decoder = SimpleNamespace(_waiting=deque([SimpleNamespace(job=job, number=0)]))
    Decoder._drop_stopped(decoder, found)
    assert not found and len(decoder._waiting) == 1
    Decoder._drop_stopped(decoder, found)
    assert [token.reason for token in found[job]] == [ABORT] and not decoder._waiting
