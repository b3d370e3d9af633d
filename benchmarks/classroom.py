"""A class at one page: 100 readers press 비교 within a second, half of them with the same example, the others with one of twenty articles.

python -m benchmarks.classroom [--readers 100] [--tab-readers 20] [--runs 3] [--before ../before]        a worktree of commit 4c22b7d, which computed each reader's answers by itself

As many readers as --tab-readers click through the other tabs meanwhile. Both pages have today's weights and data, each in a process of its own; every run starts its page anew, as an answer that was given before is not computed again.
"""

import json
import random
import statistics
from pathlib import Path

from benchmarks.checkout import run_in
from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.paths import ASSETS
from newsft.recipe import RECIPES

ARTICLES = 20  # over which the other half is spread
# The same for both checkouts, whose own readers know their own page.
SCRIPT = """
import asyncio, json, random, statistics, sys, time
from benchmarks.crowd import TABS, click_through, look, press_after
from tests.readers import Reader, Site
from tests.serve import serve
asked = json.load(sys.stdin)

async def measure(site):
    await press_after(site, {"user_prompt": asked["first"]}, 0)
    async with Reader(site) as reader:
        for tab in TABS:
            await look(reader, tab, 0)
    waits, chance = [], random.Random(0)
    others = [asyncio.create_task(click_through(site, chance, 10.0, {}, waits)) for _ in range(asked["tab_readers"])]
    begun, articles = time.perf_counter(), asked["articles"]
    found = await asyncio.gather(*(press_after(site, {"user_prompt": text}, number / len(articles)) for number, text in enumerate(articles)))
    all_done = time.perf_counter() - begun
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return {
        "together_s": all_done,
        "last_answer_s": max(one.done or float("inf") for one in found),
        "first_text_median_s": statistics.median(one.first or float("inf") for one in found),
        "complete": sum(one.done is not None and not one.warnings for one in found),
        "tab_p95_s": statistics.quantiles(waits, n=20)[-1] if len(waits) > 1 else 0,
        "texts": [one.texts for one in found],
    }

with serve(*asked["flags"], seconds=600) as url:
    print(json.dumps(asyncio.run(measure(Site(url)))))
"""


def choose_articles(readers: int) -> tuple[list[str], str]:
    """What each reader asks about, and another article for the warm-up."""
    recipe, chance = RECIPES["mini"], random.Random(0)
    rows = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio).test
    example = json.loads((ASSETS / "examples.json").read_text(encoding="utf-8"))[0]["text"]
    others = [rows[number % ARTICLES]["user_prompt"] for number in range(readers // 2)]
    articles = [example] * (readers - len(others)) + others
    chance.shuffle(articles)
    return articles, rows[ARTICLES]["user_prompt"]


def measure(folder: Path, asked: dict) -> dict:
    """One run at the page of that checkout."""
    return json.loads(run_in(folder, SCRIPT, given=json.dumps(asked)))


def main() -> None:
    """Print the medians and, last, one JSON line."""
    parser = Flags(__doc__, readers=4, tab_readers=2, runs=1)
    parser.add_argument("--readers", type=int, default=100, help="readers who compare")
    parser.add_argument("--tab-readers", type=int, default=20, help="readers who click through the other tabs")
    parser.add_argument("--runs", type=int, default=3, help="pages of each checkout, in turn")
    parser.add_argument("--before", type=Path, help="an earlier checkout, whose page is measured too")
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    articles, first = choose_articles(arguments.readers)
    flags = ["--model", recipe.model, "--adapter", recipe.adapter, "--data", recipe.data]
    asked = {"articles": articles, "first": first, "tab_readers": arguments.tab_readers, "flags": flags}
    folders = {"here": ASSETS.parent} | ({"before": arguments.before.resolve()} if arguments.before else {})
    runs = [{name: measure(folder, asked) for name, folder in folders.items()} for _ in range(arguments.runs)]
    texts = [run[name].pop("texts") for run in runs for name in folders]
    found = {
        f"{name}_{figure}": round(statistics.median(run[name][figure] for run in runs), 2)
        for name in folders
        for figure in runs[0][name]
    }
    if arguments.before:
        ratios = [run["before"]["together_s"] / run["here"]["together_s"] for run in runs]
        found["ratio"] = round(statistics.median(ratios), 2)
    print_result(found | {"same_texts": all(one == texts[0] for one in texts), "readers": arguments.readers})


if __name__ == "__main__":
    main()
