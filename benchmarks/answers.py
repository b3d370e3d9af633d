"""Both answers of the first example article: how long until the first text, and until both are complete.

python -m benchmarks.answers        beside two sequential `generate` calls of transformers, in the same run
"""

import json
import statistics
import time

import torch

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.inference.engine import load_engine
from newsft.paths import ASSETS
from newsft.recipe import RECIPES


def time_ours(engine, news: str, system_prompt: str) -> tuple[float, float, int]:
    """Seconds to the first text, seconds to both answers' ends, tokens of both."""
    begun, first = time.perf_counter(), 0.0
    for comparison in engine.compare(news, system_prompt=system_prompt):
        first = first or time.perf_counter() - begun
    return first, time.perf_counter() - begun, sum(answer.tokens for answer in comparison.answers.values())


def time_generate(engine, news: str, system_prompt: str) -> float:
    """Seconds for two `generate` calls, adapter off and adapter on, as the lesson has it."""
    prompt = engine.encode(news, system_prompt=system_prompt).ids
    ids, model = torch.tensor([prompt]), engine.loaded.model
    settings = {
        "attention_mask": torch.ones_like(ids),
        "max_new_tokens": engine.max_new_tokens,
        "do_sample": False,
        "eos_token_id": list(engine.stop_ids),
    }
    begun = time.perf_counter()
    with model.disable_adapter():
        model.generate(input_ids=ids, **settings)
    model.generate(input_ids=ids, **settings)
    return time.perf_counter() - begun


def main() -> None:
    """Print a table and, last, one JSON line."""
    parser = Flags(__doc__, runs=1)
    parser.add_argument(
        "--runs", type=int, default=7, help="how many, of which the median counts (default: %(default)s)"
    )
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    split = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio)
    engine = load_engine(recipe, examples=split.examples, shares=False)
    article = json.loads((ASSETS / "examples.json").read_text(encoding="utf-8"))[0]["text"]
    system_prompt = split.train[0]["system_prompt"]
    time_ours(engine, article, system_prompt)
    ours, peer = [], []
    for _ in range(arguments.runs):
        ours.append(time_ours(engine, article, system_prompt))
        peer.append(time_generate(engine, article, system_prompt))
    first, total = (statistics.median(run[column] for run in ours) for column in (0, 1))
    result = {
        "article_characters": len(article),
        "tokens": ours[0][2],
        "first_text_s": round(first, 3),
        "both_answers_s": round(total, 2),
        "two_generate_calls_s": round(statistics.median(peer), 2),
        "speedup": round(statistics.median(peer) / total, 2),
        "runs": arguments.runs,
    }
    print_result(result)


if __name__ == "__main__":
    main()
