"""Many readers at one page, over HTTP: the right answer for each, a place in the queue, and nobody disturbs another."""

import asyncio
import itertools
import threading
import time
from contextlib import contextmanager

import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError

from newsft.data.rows import split_rows
from newsft.inference.engine import LocalEngine
from newsft.page import sessions
from newsft.page.texts import say
from tests.readers import Reader, Site, run
from tests.serve import serve_here

PLACES = 2  # comparisons at once
TABS = {"template-source": "row", "tokens-source": "row", "lab-source": "row"}


class Gate:
    """Holds the model between two of its passes and counts them."""

    def __init__(self, model: torch.nn.Module):
        self.open, self.passes, self.close_at = threading.Event(), 0, 0
        self.open.set()
        self._fails: BaseException | None = None
        self.hook = model.get_base_model().lm_head.register_forward_pre_hook(self._pass)

    def _pass(self, *_) -> None:
        self.passes += 1
        if self.passes == self.close_at:
            self.open.clear()
        assert self.open.wait(60)
        if self._fails:
            error, self._fails = self._fails, None
            raise error

    @contextmanager
    def closed(self):
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()

    def fail(self, error: BaseException) -> None:
        """The next pass raises."""
        self._fails = error


@pytest.fixture(scope="module")
def brief(engine):
    """The shipped model with short answers: what is tested here is who gets which."""
    return LocalEngine(engine.loaded, max_new_tokens=16, shares=False)


@pytest.fixture(scope="module")
def gate(brief):
    gate = Gate(brief.loaded.model)
    yield gate
    gate.hook.remove()


@pytest.fixture(scope="module")
def site(brief, gate, rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sessions.MODEL, "concurrency_limit", PLACES)
        with serve_here(brief, split_rows(rows, test_ratio=0.5)) as url:
            yield Site(url)


@pytest.fixture(scope="module")
def right(brief, rows):
    """What one reader alone gets for a row's article."""
    return lambda row: [
        answer.text
        for answer in list(brief.compare(rows[row]["user_prompt"], system_prompt=rows[0]["system_prompt"]))[
            -1
        ].answers.values()
    ]


async def use_all_tabs(site: Site, article: str, row: int) -> list:
    """Both answers and what the analysis tabs show, asked for at the same time."""
    async with Reader(site) as reader:
        numbers = {name.replace("source", "number"): row for name in TABS}
        shown = [reader.call(name, "input", **(numbers | {name: source})) for name, source in TABS.items()]
        answered, *shown, opened = await asyncio.gather(
            reader.compare(article), *shown, reader.call("open-row", "change", **{"open-row": row})
        )
        assert answered.done and not answered.warnings
        return [answered.texts, shown, opened]


def wait_for(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_eight_readers_on_all_tabs_see_what_each_would_see_alone(site, rows):
    async def act():
        alone = [await use_all_tabs(site, rows[number]["user_prompt"], number) for number in range(4)]
        together = await asyncio.gather(
            *(use_all_tabs(site, rows[number]["user_prompt"], number) for number in [*range(4), *range(4)])
        )
        return alone, together

    alone, together = run(act())
    assert together == [*alone, *alone]
    assert len({str(one) for one in alone}) == 4


def test_readers_who_wait_are_told_their_place_and_get_their_answer(site, gate, rows, right):
    async def act():
        async with asyncio.TaskGroup() as group:
            people = [await Reader(site).__aenter__() for _ in range(PLACES + 3)]
            with gate.closed():
                answers = []
                for number, reader in enumerate(people):
                    answers.append(group.create_task(reader.compare(rows[number]["user_prompt"])))
                    await asyncio.sleep(0.3)
                told = [(await reader.call("place", "name"))[0] for reader in people]
            answered = await asyncio.gather(*answers)
            for reader in people:
                await reader.__aexit__()
        return told, answered

    told, answered = run(act())
    assert told[:PLACES] == [""] * PLACES
    assert all(say("place", "ko", place=place) in shown for place, shown in enumerate(told[PLACES:], 1))
    assert answered[-1].places[0] == 3 and answered[-1].places[-1] == 1
    assert [one.texts for one in answered] == [right(number) for number in range(len(answered))]


def test_lesson_tabs_answer_while_the_model_is_busy(site, gate, rows):
    async def act():
        async with Reader(site) as busy, Reader(site) as other:
            with gate.closed():
                await busy.press(rows[0]["user_prompt"])
                return await asyncio.wait_for(other.call("tokens-source", "input", **{"tokens-source": "toy"}), 30)

    assert "data-tokens" in run(act())[0]


def test_stop_ends_ones_own_comparison_and_no_other(site, gate, brief, rows, right):
    async def act():
        async with Reader(site) as stays, Reader(site) as stops:
            with gate.closed():
                answers = [asyncio.create_task(reader.compare(rows[3]["user_prompt"])) for reader in (stays, stops)]
                while brief.askers < 2:
                    await asyncio.sleep(0.05)
                await stops.call("stop", "click")
            return await asyncio.gather(*answers)

    stayed, stopped = run(act())
    assert stayed.texts == right(3)
    assert say("stopped", "ko") in stopped.columns[0] and say("stopped", "ko") not in stayed.columns[0]


@pytest.fixture
def sharing(engine, monkeypatch):
    """As the page has it by default: the same article is computed once. All who ask are let in, so that each is seen to ask."""
    monkeypatch.setitem(sessions.MODEL, "concurrency_limit", 3)
    return LocalEngine(engine.loaded, max_new_tokens=16)


def test_readers_of_one_article_share_its_answer_and_one_who_stops_or_goes_takes_it_from_nobody(
    sharing, gate, rows, right
):
    async def act(site: Site):
        async with Reader(site) as stays, Reader(site) as stops:
            with gate.closed():
                async with Reader(site) as goes:
                    answers = []
                    async with asyncio.timeout(60):
                        for reader in (goes, stops, stays):  # the first has it computed, the others share it
                            answers.append(asyncio.create_task(reader.compare(rows[3]["user_prompt"])))
                            while sharing.askers < len(answers):
                                await asyncio.sleep(0.05)
                    answers.pop(0).cancel()
                await stops.call("stop", "click")
            return await asyncio.gather(*answers)

    with serve_here(sharing, split_rows(rows, test_ratio=0.5)) as url:
        stopped, stayed = run(act(Site(url)))
    assert say("stopped", "ko") in stopped.columns[0]
    assert stayed.texts == right(3) and say("shared_answer", "ko") in stayed.columns[2]


async def press_in_turn(people: list[Reader], row: dict) -> list[asyncio.Task]:
    """Their comparisons of one article; the last ones wait."""
    answers = []
    for reader in people:
        answers.append(asyncio.create_task(reader.compare(row["user_prompt"])))
        await asyncio.sleep(0.3)
    return answers


def test_stop_while_waiting_ends_the_comparison_before_its_first_token(site, gate, rows):
    async def act():
        people = [Reader(site) for _ in range(PLACES + 1)]
        with gate.closed():
            answers = await press_in_turn(people, rows[0])
            await people[-1].call("stop", "click")
        return (await asyncio.gather(*answers))[-1]

    column = run(act()).columns[0]
    assert say("stats", "ko", tokens=0, seconds=0.0, speed=0.0, reason=say("stopped", "ko")) in column


def test_comparison_that_was_cleared_while_it_waited_or_ran_is_not_shown(site, gate, rows):
    async def act():
        people = [Reader(site) for _ in range(PLACES + 1)]
        with gate.closed():
            answers = await press_in_turn(people, rows[0])
            for reader in (people[0], people[-1]):
                await reader.call("clear", "click")
        return await asyncio.gather(*answers)

    ran, stayed, waited = run(act())
    for cleared in (ran, waited):
        assert [say("waiting", "ko") in column for column in cleared.columns] == [
            True,
            True,
            False,
        ] and cleared.texts == []
    assert len(stayed.texts) == 2


def test_place_of_a_reader_who_leaves_is_free_within_two_passes(site, gate, brief, rows):
    async def leave():
        async with Reader(site) as reader:
            gate.close_at = gate.passes + 5
            await reader.press(rows[0]["user_prompt"])
            async for message in reader.listen():
                if message["msg"] == "process_generating":
                    while gate.open.is_set():
                        await asyncio.sleep(0.02)
                    return

    run(leave())
    with gate.closed():
        jobs = list(brief._batcher._outboxes)
        assert len(jobs) == 1
        wait_for(jobs[0].stop.is_set)  # the page has noticed that the reader is gone
        before = gate.passes
    wait_for(lambda: not brief.askers and not brief._decoder.busy)
    assert gate.passes - before <= 2


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("injected"), MemoryError(), SystemExit()], ids=["gpu_memory", "memory", "exit"]
)
def test_failing_model_is_said_and_the_next_comparison_is_right(site, gate, rows, right, error):
    async def act():
        async with Reader(site) as reader:
            gate.fail(error)
            return await reader.compare(rows[0]["user_prompt"]), await reader.compare(rows[1]["user_prompt"])

    failed, after = run(act())
    assert failed.warnings == [say("error_failed", "ko")] and failed.texts == []
    assert after.texts == right(1)


def test_failing_model_is_an_error_of_the_endpoint_too(site, gate, rows, right):
    client = Client(site.url, verbose=False)
    gate.fail(torch.OutOfMemoryError("injected"))
    with pytest.raises(AppError, match="Something went wrong"):
        client.predict(news=rows[0]["user_prompt"], api_name="/compare")
    result = client.predict(news=rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], api_name="/compare")
    assert [result[side]["text"] for side in ("base", "tuned")] == right(0)


def test_endpoint_streams_growing_texts_and_ends_with_the_whole_result(site, rows, right, monkeypatch):
    monkeypatch.setattr("newsft.page.tabs.compare_handlers.FRAME_SECONDS", 0.0)
    job = Client(site.url, verbose=False).submit(
        news=rows[2]["user_prompt"], system_prompt=rows[0]["system_prompt"], api_name="/compare"
    )
    last = job.result(timeout=60)
    assert [last[side]["text"] for side in ("base", "tuned")] == right(2) and last["receipt"]["alarms"] == []
    texts = [one["tuned"]["text"] for one in job.outputs()]
    assert len(texts) > 3 and all(after.startswith(before) for before, after in itertools.pairwise(texts))


def test_full_queue_is_said_before_anything_is_cleared(site, rows, monkeypatch):
    monkeypatch.setattr(sessions, "QUEUE_LENGTH", 0)

    async def act():
        async with Reader(site) as reader:
            return await reader.compare(rows[0]["user_prompt"])

    assert run(act()).refused == say("error_full", "ko", limit=0)


def test_forgotten_presses_do_not_pile_up():
    stops = sessions.Stops()
    for number in range(sessions.KEPT_PRESSES + 10):
        stops.press(str(number))
    assert len(stops._pressed) == sessions.KEPT_PRESSES
    with stops.run("0") as flag:
        stops.stop("0")
        assert flag.is_set()
    assert not stops._running
