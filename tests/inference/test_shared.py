"""Askers of the same question share one computation: it is made once, nobody's leaving ends it for the others, and its failure is everyone's."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from newsft.inference import shared
from newsft.inference.decoder import Decoder, Job
from newsft.inference.engine import LocalEngine
from newsft.inference.receipt import write_receipt
from newsft.inference.shared import SharedAnswers
from newsft.inference.types import ABORT, STOP, NextToken, Request
from newsft.models.load import load_base
from newsft.page.html.receipt import format_receipt
from newsft.page.texts import say
from tests import tiny

MANY, LENGTH, WHOLE = 100, 5, ([7, 7, 7, 7, 7], STOP)


class Scripted:
    """In the place of a batcher: a row writes its prompt's first token five times, each time when a pass is allowed."""

    def __init__(self):
        self.jobs: list[Job] = []
        self.passes, self.error = threading.Semaphore(0), ""

    def allow(self, count: int = 10 * LENGTH) -> None:
        self.passes.release(count)

    def answer(self, job: Job) -> Iterator[list[NextToken]]:
        self.jobs.append(job)
        job.started = time.monotonic()
        for row, request in enumerate(job.requests):
            job.on_start(row, torch.tensor([float(request.prompt[0])]))
        for _ in range(LENGTH):
            while not self.passes.acquire(timeout=0.01):
                if job.stop.is_set():
                    yield [NextToken(row, None, ABORT) for row in range(len(job.requests))]
                    return
            if self.error:
                error, self.error = self.error, ""
                raise RuntimeError(error)
            yield [NextToken(row, request.prompt[0]) for row, request in enumerate(job.requests)]
        yield [NextToken(row, None, STOP) for row in range(len(job.requests))]


@pytest.fixture
def batcher():
    return Scripted()


@pytest.fixture
def answers(batcher):
    return SharedAnswers(batcher)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def ask(answers, prompt: int = 7, *, side: str = "base", stop: threading.Event | None = None, leave_after: int = 99):
    """What one asker gets: the tokens of a single row, and its reason."""
    tokens, reason = [], None
    requests = [Request([prompt], side)]
    with answers.ask(requests, stop=stop or threading.Event(), summarise=lambda first: first[0].item()) as asked:
        for number, (step, seconds) in enumerate(asked):
            assert seconds >= 0 and asked.summary == prompt
            tokens += [token.token for token in step if token.token is not None]
            reason = step[-1].reason
            if number + 1 == leave_after:
                break
    return tokens, reason


def wait_for(condition) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.005)


def test_one_who_stops_and_one_who_leaves_end_nothing_for_the_others(answers, batcher, pool):
    stop = threading.Event()
    stays = pool.submit(ask, answers)
    stops, leaves = pool.submit(ask, answers, stop=stop), pool.submit(ask, answers, leave_after=2)
    wait_for(lambda: answers.askers == 3)
    batcher.allow(2)
    assert leaves.result(60) == ([7, 7], None)
    stop.set()
    tokens, reason = stops.result(60)
    assert reason == ABORT and tokens == [7] * len(tokens) and len(tokens) <= 2
    assert not batcher.jobs[0].stop.is_set() and answers.askers == 1
    batcher.allow()
    assert stays.result(60) == WHOLE and len(batcher.jobs) == 1 and answers.askers == 0


def test_one_who_began_it_may_leave_first_and_one_who_comes_late_gets_all_of_it(answers, batcher, pool):
    begins = pool.submit(ask, answers, leave_after=1)
    wait_for(lambda: batcher.jobs)
    stays = pool.submit(ask, answers)
    wait_for(lambda: answers.askers == 2)
    batcher.allow(3)
    assert begins.result(60) == ([7], None)
    late = pool.submit(ask, answers)
    batcher.allow()
    assert stays.result(60) == late.result(60) == WHOLE and len(batcher.jobs) == 1


def test_when_the_last_has_left_it_is_stopped_and_whoever_asks_next_has_it_computed_anew(answers, batcher, pool):
    stop = threading.Event()
    both = [pool.submit(ask, answers, stop=stop), pool.submit(ask, answers, leave_after=1)]
    wait_for(lambda: answers.askers == 2)
    batcher.allow(1)
    stop.set()
    for one in both:
        one.result(60)
    assert batcher.jobs[0].stop.is_set() and answers.askers == 0
    batcher.allow()
    assert ask(answers) == WHOLE and len(batcher.jobs) == 2
    assert ask(answers) == WHOLE and len(batcher.jobs) == 2  # what was stopped was not kept, this was


def test_failure_is_everyones_and_the_next_is_right(answers, batcher, pool):
    batcher.error = "out of memory"
    askers = [pool.submit(ask, answers) for _ in range(5)]
    wait_for(lambda: answers.askers == 5)
    batcher.allow()
    errors = [one.exception(60) for one in askers]
    assert [str(error) for error in errors] == ["out of memory"] * 5 and len(set(map(id, errors))) == 5
    assert answers.askers == 0 and len(batcher.jobs) == 1
    assert ask(answers) == WHOLE and len(batcher.jobs) == 2


def test_other_prompts_and_other_adapters_are_computed_for_themselves(answers, batcher):
    batcher.allow()
    assert ask(answers) == ask(answers) == ask(answers, side="tuned") == ask(answers, side="adapter-1") == WHOLE
    assert ask(answers, 8) == ([8] * LENGTH, STOP)
    assert len(batcher.jobs) == 4


def test_so_many_answers_are_kept_and_those_last_used_longest(answers, batcher, monkeypatch):
    monkeypatch.setattr(shared, "KEPT", 2)
    batcher.allow(40)
    for prompt in (1, 2, 1, 3, 1, 2):  # 3 takes the place of 2
        ask(answers, prompt)
        wait_for(lambda: not answers._running)  # it is kept a moment after its last token
    assert [job.requests[0].prompt[0] for job in batcher.jobs] == [1, 2, 3, 2]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return load_base(str(tiny.write_model(tmp_path_factory.mktemp("tiny") / "model", hidden=64)))


@pytest.fixture
def jobs(monkeypatch):
    """Every job that a decoder is given."""
    found, submit = [], Decoder.submit
    monkeypatch.setattr(Decoder, "submit", lambda decoder, job: found.append(job) or submit(decoder, job))
    return found


def compare_at_once(engine: LocalEngine, articles: list[str]) -> list[tuple[str, bool]]:
    """Each article's base answer, and whether it was shared; all are asked in the same moment."""
    begin = threading.Barrier(len(articles))

    def compare(article: str) -> tuple[str, bool]:
        begin.wait(60)
        *_, last = engine.compare(article, system_prompt="요약")
        assert last.done
        return last.answers["base"].text, last.shared

    with ThreadPoolExecutor(len(articles)) as pool:
        return list(pool.map(compare, articles))


def test_hundred_identical_requests_at_once_are_one_computation(loaded, jobs):
    alone, engine = LocalEngine(loaded, max_new_tokens=8, shares=False), LocalEngine(loaded, max_new_tokens=8)
    (right,) = {text for text, _ in compare_at_once(alone, ["주가가 올랐다."])}
    found = compare_at_once(engine, ["주가가 올랐다."] * MANY)
    assert {text for text, _ in found} == {right} and len(jobs) == 2
    assert sum(is_shared for _, is_shared in found) == MANY - 1


def test_hundred_different_requests_at_once_get_the_answers_that_each_gets_alone(loaded, jobs):
    alone, engine = LocalEngine(loaded, max_new_tokens=8, shares=False), LocalEngine(loaded, max_new_tokens=8)
    articles = [row["user_prompt"] for row in tiny.make_rows(MANY)]
    found = compare_at_once(engine, articles)
    assert len(jobs) == MANY and not any(is_shared for _, is_shared in found)
    assert found == [compare_at_once(alone, [article])[0] for article in articles]
    assert len({text for text, _ in found}) > 10


def test_receipt_says_that_an_answer_was_shared_and_is_otherwise_the_same(engine, rows):
    brief = LocalEngine(engine.loaded, max_new_tokens=4)

    def compare():
        *_, last = brief.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
        return last, write_receipt(brief, last)

    (first, own), (second, other) = compare(), compare()
    assert (own.shared, other.shared) == (False, True) and other.alarms == ()
    assert first.answers == second.answers and own.difference == other.difference and own.difference["largest"] > 0.1
    for language in ("ko", "en"):
        shown = [format_receipt(one, first.answers, language=language) for one in (own, other)]
        assert [say("shared_answer", language) in text for text in shown] == [False, True]
