"""A class at one page: many readers press 비교 within a second while as many click through the other tabs.

python -m benchmarks.crowd [--readers 100] [--tab-readers 100] [--think 10] [--runs 5] [--train]

Figures are medians of the runs; of what may not happen, and of memory, the worst. There are two peers in the same run. One is our own page with a queue of one: the same comparisons, one after the other; every answer is compared
with that one's, everything that a tab showed with what it shows to a reader alone. The other is what such a page runs without an engine, two
`generate` calls for each reader: measured for the first ten, without any page around them, and multiplied.

With --train one more reader trains meanwhile, as the page's settings stand; its time is the whole run's, which may end behind the others'.
"""

import asyncio
import html
import random
import statistics
import time
from contextlib import suppress

import psutil

from benchmarks.answers import time_generate
from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.inference.engine import load_engine
from newsft.page.texts import say
from newsft.recipe import RECIPES
from tests import programs
from tests.readers import Answered, Reader, Site
from tests.serve import serve

WORST = {
    "complete": min,
    "same_texts": min,
    "done_longest_s": max,
    "tab_failures": max,
    "tab_other": max,
    "memory_peak_mb": max,
}
WITHIN = 1.0  # seconds in which all of them press
GENERATED = 10  # readers whose answers `generate` gives
TAB_ROWS = 20  # rows that the tabs' readers look at
TABS = {
    "template": ("template-source", "input"),
    "tokens": ("tokens-source", "input"),
    "lab": ("lab-source", "input"),
    "evaluation": ("open-row", "change"),
}


async def look(reader: Reader, tab: str, row: int) -> list:
    """What a tab shows of a row."""
    name, trigger = TABS[tab]
    return await reader.call(name, trigger, **{f"{tab}-source": "row", f"{tab}-number": row, "open-row": row})


async def press_after(site: Site, row: dict, seconds: float) -> Answered:
    """One reader's comparison."""
    async with Reader(site) as reader:
        await asyncio.sleep(seconds)
        return await reader.compare(row["user_prompt"])


async def click_through(site: Site, chance: random.Random, think: float, seen: dict, waits: list[float]) -> None:
    """One reader of the other tabs, for ever: a click, then a while of reading."""
    async with Reader(site) as reader:
        while True:
            await asyncio.sleep(chance.expovariate(1 / think))
            choice = (chance.choice(list(TABS)), chance.randrange(TAB_ROWS))
            begun = time.perf_counter()
            shown = await look(reader, *choice)
            waits.append(time.perf_counter() - begun)
            seen.setdefault(choice, []).append(shown)


async def watch(process: psutil.Process, sizes: list[int]) -> None:
    """The memory of the page and of a run that it has started, every half second, for ever."""
    while True:
        sizes.append(sum(one.memory_info().rss for one in [process, *find_runs(process)]))
        await asyncio.sleep(0.5)


def find_runs(process: psutil.Process) -> list[psutil.Process]:
    """The processes of `train.py` that the page has started and that are still there."""
    found = []
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            if any("train.py" in part for part in child.cmdline()):
                child.memory_info()
                found.append(child)
    return found


async def train(site: Site) -> float:
    """Seconds of a reader's training; RuntimeError where it does not end as it should."""
    begun = time.perf_counter()
    async with Reader(site) as reader:
        said = await reader.train()
    if say("train_done", "ko") not in html.unescape(said):
        raise RuntimeError(f"the training ended otherwise: {said}")
    return time.perf_counter() - begun


async def warm_up(site: Site, row: dict) -> None:
    """The first comparison also computes the system prompt's cache, the first look at a tab loads a tokenizer."""
    await press_after(site, row, 0)
    async with Reader(site) as reader:
        for tab in TABS:
            await look(reader, tab, 0)


async def measure(
    site: Site, process: psutil.Process, rows: list[dict], *, tab_readers: int, think: float, trains: bool
) -> dict:
    """Both halves and their figures."""
    await warm_up(site, rows[0])
    begun = time.perf_counter()
    queue = [await press_after(site, row, 0) for row in rows]
    one_after_other = time.perf_counter() - begun

    seen, waits, sizes, chance = {}, [], [], random.Random(0)
    others = [asyncio.create_task(click_through(site, chance, think, seen, waits)) for _ in range(tab_readers)] + [
        asyncio.create_task(watch(process, sizes))
    ]
    run = asyncio.create_task(train(site)) if trains else None
    while run and not run.done() and not find_runs(process):
        await asyncio.sleep(0.1)
    begun = time.perf_counter()
    together = await asyncio.gather(
        *(press_after(site, row, WITHIN * number / len(rows)) for number, row in enumerate(rows))
    )
    all_done = time.perf_counter() - begun
    trained = {"train_s": round(await run, 1)} if run else {}
    failed = [task.exception() for task in others if task.done()]
    for error in failed:
        print(f"a reader of the tabs failed: {error!r}")
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)

    async with Reader(site) as reader:
        alone = {choice: await look(reader, *choice) for choice in seen}
    return (
        trained
        | _figure_answers(together, queue, all_done, one_after_other)
        | {"tab_readers": tab_readers, "tab_failures": len(failed)}
        | _figure_tabs(waits, seen, alone)
        | {"memory_before_mb": round(sizes[0] / 1e6), "memory_peak_mb": round(max(sizes) / 1e6)}
    )


def _figure_answers(together: list[Answered], queue: list[Answered], all_done: float, one_after_other: float) -> dict:
    """Of the readers' comparisons, pressed together and one after the other; both times in seconds."""
    return {
        "readers": len(together),
        "together_s": round(all_done, 1),
        "one_after_other_s": round(one_after_other, 1),
        "ratio": round(one_after_other / all_done, 2),
        "complete": sum(one.done is not None and not one.warnings for one in together),
        "same_texts": sum(
            ours.texts == theirs.texts and len(ours.texts) == 2 for ours, theirs in zip(together, queue, strict=True)
        ),
        "told_a_place": sum(bool(one.places) and max(one.places) > 1 for one in together),
        "first_text_median_s": round(statistics.median(one.first or float("inf") for one in together), 1),
        "done_longest_s": round(max(one.done or float("inf") for one in together), 1),
    }


def _figure_tabs(waits: list[float], seen: dict, alone: dict) -> dict:
    """Of the clicks on the other tabs: how long each took, and how many showed something else than to a reader alone."""
    return {
        "tab_clicks": len(waits),
        "tab_other": sum(shown != alone[choice] for choice, found in seen.items() for shown in found),
        "tab_median_s": round(statistics.median(waits), 2) if waits else 0,
        "tab_p95_s": round(statistics.quantiles(waits, n=20)[-1], 2) if len(waits) > 1 else 0,
    }


def summarise(found: list[dict]) -> dict:
    """The median of each figure, or the worst."""
    return {name: WORST.get(name, statistics.median)(one[name] for one in found) for name in found[0]}


def measure_generate(rows: list[dict]) -> float:
    """Seconds that all readers' answers take from two `generate` calls each, by the first few."""
    engine = load_engine(RECIPES["mini"])
    time_generate(engine, rows[0]["user_prompt"], rows[0]["system_prompt"])
    return statistics.mean(
        time_generate(engine, row["user_prompt"], row["system_prompt"]) for row in rows[:GENERATED]
    ) * len(rows)


def main() -> None:
    """Print the figures and, last, one JSON line."""
    parser = Flags(__doc__, readers=4, tab_readers=4, think=1.0, runs=1)
    parser.add_argument("--readers", type=int, default=100, help="readers who compare")
    parser.add_argument(
        "--tab-readers", type=int, default=100, help="readers who click through the other tabs meanwhile"
    )
    parser.add_argument("--think", type=float, default=10.0, help="mean seconds between two clicks of one of those")
    parser.add_argument("--runs", type=int, default=5, help="how often, at the same page")
    parser.add_argument("--train", action="store_true", help="one more reader trains meanwhile")
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    rows = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio).test[: arguments.readers]
    with serve("--no-sharing", seconds=600, start=programs.start_new) as url:
        (process,) = psutil.Process().children()
        found = [
            asyncio.run(
                measure(
                    Site(url),
                    process,
                    rows,
                    tab_readers=arguments.tab_readers,
                    think=arguments.think,
                    trains=arguments.train,
                )
            )
            for _ in range(arguments.runs)
        ]
    result, generated = summarise(found), measure_generate(rows)
    print_result(
        {"runs": arguments.runs}
        | result
        | {"generate_calls_s": round(generated, 1), "generate_ratio": round(generated / result["together_s"], 2)}
    )


if __name__ == "__main__":
    main()
