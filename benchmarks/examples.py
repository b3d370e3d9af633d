"""Both answers to the eight example articles, the engine alone: seconds for all of them, beside two `generate` calls of transformers, an earlier checkout and llama.cpp.

python -m benchmarks.examples [--runs 5] [--plain] [--before ../before] [--llama BASE_URL TUNED_URL]

--plain: the same engine with transformers' layers in place of the joined matrices (newsft/inference/joined.py). --before: a worktree of commit 4c22b7d, with today's weights. --llama: two llama.cpp servers (http://127.0.0.1:8081), one with `newsft.publish.gguf --side base`, one with the merged pair; both
are asked at once, with our prompt ids and their prompt cache on.
"""

import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx

from benchmarks.answers import time_generate
from benchmarks.checkout import ENGINE_BEFORE, SETTINGS, run_in
from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.inference.engine import LocalEngine, load_engine
from newsft.inference.types import SIDES
from newsft.paths import ASSETS
from newsft.recipe import RECIPES

HERE = """
import json, sys, time
from newsft.data.rows import load_rows, split_rows
from newsft.inference.engine import load_engine
from newsft.recipe import RECIPES
asked = json.load(sys.stdin)
split = split_rows(load_rows(asked["data"]), test_ratio=asked["test_ratio"])
engine = load_engine(RECIPES["mini"], examples=split.examples, shares=False)
"""
PLAIN = """
from newsft.inference.joined import JoinedLlama
JoinedLlama.fits = staticmethod(lambda model: False)
"""
ROUND = """
found = []
for text in [asked["texts"][0], *asked["texts"]]:
    begun = time.perf_counter()
    for comparison in engine.compare(text, system_prompt=asked["system_prompt"]):
        pass
    found.append([time.perf_counter() - begun, {side: answer.text for side, answer in comparison.answers.items()}])
print(json.dumps(found[1:]))
"""


class Ways:
    """What is measured; each way takes a text and gives (seconds, {side: answer}), no answer where it is not looked at."""

    def __init__(self, engine: LocalEngine, system_prompt: str, *, urls: list[str] | None):
        self.engine, self.system_prompt, self.urls = engine, system_prompt, dict(zip(SIDES, urls or [], strict=False))
        self.pool = ThreadPoolExecutor(2)

    def generate(self, text: str) -> tuple[float, dict]:
        return time_generate(self.engine, text, self.system_prompt), {}

    def llama(self, text: str) -> tuple[float, dict]:
        ids = self.engine.encode(text, system_prompt=self.system_prompt).ids
        begun = time.perf_counter()
        texts = dict(zip(SIDES, self.pool.map(partial(self._complete, ids), SIDES), strict=True))
        return time.perf_counter() - begun, texts

    def _complete(self, ids: list[int], side: str) -> str:
        body = {"prompt": ids, "n_predict": self.engine.max_new_tokens, "temperature": 0, "cache_prompt": True}
        found = httpx.post(f"{self.urls[side]}/completion", json=body, timeout=120)
        return found.raise_for_status().json()["content"]


def ask_all(way: Callable[[str], tuple[float, dict]], texts: list[str]) -> list[tuple[float, dict]]:
    """One round."""
    return [way(text) for text in texts]


def ask_checkout(folder: Path, code: str, texts: list[str], *, system_prompt: str) -> list[tuple[float, dict]]:
    """One round at a checkout's engine in a process of its own, after a first answer that does not count."""
    asked = SETTINGS | {"texts": texts, "system_prompt": system_prompt}
    return [tuple(one) for one in json.loads(run_in(folder, code + ROUND, given=json.dumps(asked)))]


def main() -> None:
    """Print the medians of alternating rounds and, last, one JSON line."""
    parser = Flags(__doc__, runs=1, texts=1)
    parser.add_argument("--runs", type=int, default=5, help="rounds of each way, in turn")
    parser.add_argument("--texts", type=int, default=8, help="only the first so many of the eight")
    parser.add_argument("--plain", action="store_true", help="measure the engine without joined matrices too")
    parser.add_argument("--before", type=Path, help="an earlier checkout, whose engine is measured too")
    parser.add_argument(
        "--llama", nargs=2, metavar="URL", help="llama.cpp's servers of the base and of the tuned model"
    )
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    split = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio)
    engine = load_engine(recipe, examples=split.examples, shares=False)
    texts = [example["text"] for example in json.loads((ASSETS / "examples.json").read_text(encoding="utf-8"))]
    texts = texts[: arguments.texts]
    ways = Ways(engine, split.train[0]["system_prompt"], urls=arguments.llama)
    given = {"system_prompt": ways.system_prompt}
    asked = {
        "here": partial(ask_checkout, ASSETS.parent, HERE, **given),
        "generate": partial(ask_all, ways.generate),
    }
    if arguments.plain:
        asked["plain"] = partial(ask_checkout, ASSETS.parent, PLAIN + HERE, **given)
    if arguments.llama:
        asked["llama"] = partial(ask_all, ways.llama)
    if arguments.before:
        asked["before"] = partial(ask_checkout, arguments.before.resolve(), ENGINE_BEFORE, **given)
    for way in (ways.generate, *([ways.llama] if arguments.llama else [])):
        way(texts[0])  # threads, caches
    runs = [{name: ask(texts) for name, ask in asked.items()} for _ in range(arguments.runs)]
    seconds = {name: [sum(one for one, _ in run[name]) for run in runs] for name in asked}
    found = {f"{name}_s": round(statistics.median(taken), 2) for name, taken in seconds.items()}
    found |= {
        f"{name}_against_here": round(statistics.median(a / b for a, b in zip(taken, seconds["here"], strict=True)), 2)
        for name, taken in seconds.items()
        if name != "here"
    }
    ours = [answers for _, answers in runs[0]["here"]]
    for name in asked.keys() & {"plain", "before", "llama"}:
        theirs = [answers for _, answers in runs[0][name]]
        found[f"{name}_same_texts"] = sum(
            a[side] == b[side] for a, b in zip(ours, theirs, strict=True) for side in SIDES
        )
    print_result(found | {"answers": len(texts) * len(SIDES), "runs": arguments.runs})


if __name__ == "__main__":
    main()
