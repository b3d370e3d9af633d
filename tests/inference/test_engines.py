"""What every engine has to do, whether its model is in this process, on ZeroGPU or behind a server."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from html import escape

import pytest

from newsft.data.messages import row_messages
from newsft.errors import UserError
from newsft.inference.engine import LocalEngine
from newsft.inference.receipt import write_receipt
from newsft.inference.server import RemoteEngine
from newsft.inference.token_loss import take_xray
from newsft.inference.types import ABORT, LENGTH, SIDES, STOP, Engine, ScoringEngine
from newsft.page.tabs.evaluation import EvaluationHandlers
from newsft.page.texts import say
from tests.inference.stand_in_gpu import Gpu, build_zero
from tests.inference.stub_server import NAMES, PAUSE, Behaviour, serve_stub

ENOUGH = 400  # tokens: more than any of these answers has
KINDS = ("local", "sharing", "zerogpu", "server")


@pytest.fixture(scope="module")
def build(engine):
    """(kind, longest answer) -> an engine."""
    with serve_stub(Behaviour(pause=PAUSE)) as url:
        makers = {
            "local": lambda most: LocalEngine(engine.loaded, max_new_tokens=most, shares=False),
            "sharing": lambda most: LocalEngine(engine.loaded, max_new_tokens=most),
            "zerogpu": lambda most: build_zero(engine, Gpu(), max_new_tokens=most),
            "server": lambda most: RemoteEngine(url, NAMES, engine.chat, engine.models.run, max_new_tokens=most),
        }
        yield lambda kind, most: makers[kind](most)


@pytest.fixture(scope="module", params=KINDS)
def any_engine(request, build):
    return build(request.param, ENOUGH)


@pytest.fixture
def short(any_engine, build, request):
    return build(request.node.callspec.params["any_engine"], 4)


def ask(engine: Engine, row: dict, **settings):
    *_, last = engine.compare(row["user_prompt"], system_prompt=row["system_prompt"], **settings)
    return last


def test_it_has_what_the_page_asks_for_and_says_what_it_cannot(any_engine):
    assert isinstance(any_engine, Engine) and any_engine.sides == SIDES
    assert isinstance(any_engine, ScoringEngine) == any_engine.capabilities.token_loss
    assert set(any_engine.served) in (set(), set(SIDES)) and any_engine.decoding["method"] == "greedy"
    assert any_engine.models.description and any_engine.models.run["system_prompt"]


def test_every_engine_is_asked_with_the_same_ids(any_engine, engine, rows):
    news, system_prompt = rows[0]["user_prompt"], rows[0]["system_prompt"]
    assert any_engine.encode(news, system_prompt=system_prompt) == engine.encode(news, system_prompt=system_prompt)


def test_answers_stream_as_growing_text_and_end_by_themselves(any_engine, rows):
    seen, steps = dict.fromkeys(SIDES, ""), 0
    for comparison in any_engine.compare(rows[1]["user_prompt"], system_prompt=rows[1]["system_prompt"]):
        steps += 1
        for side, answer in comparison.answers.items():
            assert answer.text.startswith(seen[side]) and "\ufffd" not in answer.text
            seen[side] = answer.text
    assert comparison.done and steps > 5 and comparison.answers["tuned"].reason == STOP
    assert all(answer.text and answer.tokens and answer.seconds > 0 for answer in comparison.answers.values())
    assert seen["base"] != seen["tuned"]


def test_length_limit_is_named_as_the_reason(short, rows):
    answers = ask(short, rows[0]).answers.values()
    assert {answer.reason for answer in answers} == {LENGTH} and {answer.tokens for answer in answers} == {4}


def test_stop_ends_both_answers_and_keeps_what_was_written(any_engine, rows):
    stop = threading.Event()
    for comparison in any_engine.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], stop=stop):
        if all(answer.text for answer in comparison.answers.values()):
            stop.set()
    assert {answer.reason for answer in comparison.answers.values()} == {ABORT}
    assert all(answer.text for answer in comparison.answers.values()) and any_engine.askers == 0


def test_one_who_leaves_is_not_counted_and_disturbs_nobody(any_engine, rows):
    running = any_engine.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    next(running)
    assert any_engine.askers == 1
    running.close()
    assert any_engine.askers == 0 and ask(any_engine, rows[0]).answers["tuned"].text.startswith("{")


def test_threads_asking_at_once_get_their_own_answers(short, rows):
    def texts(row: dict) -> list[str]:
        return [answer.text for answer in ask(short, row).answers.values()]

    alone = [texts(row) for row in rows[2:5]]
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(texts, rows[2:5])) == alone


@pytest.mark.parametrize(
    ("news", "key"), [("", "news_empty"), (" \n\t ", "news_empty"), ("가" * 1_000_000, "news_too_long")]
)
def test_news_that_cannot_be_answered_is_refused_before_anything_is_asked(any_engine, news, key):
    with pytest.raises(UserError) as caught:
        next(any_engine.compare(news, system_prompt="요약"))
    assert caught.value.key == key and any_engine.askers == 0


def test_receipt_has_no_alarm_and_is_plain_data(short, rows):
    receipt = write_receipt(short, ask(short, rows[0]))
    assert receipt.alarms == () and receipt.is_prefix and len(set(receipt.prompt_hashes.values())) == 1
    assert (receipt.difference is None) == (
        not receipt.base_fingerprint
    )  # nothing is claimed about weights that are elsewhere
    assert json.dumps(asdict(receipt))


def test_costs_of_tokens_are_shown_where_they_are_to_be_had_and_else_the_page_says_why_not(any_engine, rows, tmp_path):
    shown = EvaluationHandlers(any_engine, rows, tmp_path).xray(3, "en")
    if any_engine.capabilities.token_loss:
        encoded = any_engine.chat.encode_row(row_messages(rows[3]))
        assert {len(losses) for losses in take_xray(any_engine, encoded).losses.values()} == {len(encoded)}
    assert (escape(say("error_served", "en")) in shown) == (not any_engine.capabilities.token_loss)
