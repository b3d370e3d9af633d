"""The batched evaluation against one `generate` call at a time, on the same rows: answers per second, and whether the greedy texts agree.

python -m benchmarks.evaluation [--rows 32] [--before ../before]        beside the batched evaluation of a worktree of commit 4c22b7d instead
"""

import json
import time
from pathlib import Path

import torch

from benchmarks.checkout import ENGINE_BEFORE, SETTINGS, run_in
from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.evaluation import generate
from newsft.inference.engine import LocalEngine, load_engine
from newsft.recipe import RECIPES

BEFORE = (
    ENGINE_BEFORE
    + """
from newsft import generations
begun = time.perf_counter()
plan = generations.plan_batches(engine, asked["rows"], batch_rows=generations.BATCH_ROWS)
found = [one for numbers in plan for one in generations.generate_batch(engine, asked["rows"], numbers)]
print(json.dumps([time.perf_counter() - begun, [[one.row, one.side, one.text] for one in found]]))
"""
)
Answers = dict[tuple[int, str], str]  # row, side -> text


def generate_singly(engine: LocalEngine, row: dict, side: str) -> str:
    """One answer by transformers' own `generate`."""
    prompt = engine.encode(row["user_prompt"], system_prompt=row["system_prompt"]).ids
    ids, model = torch.tensor([prompt]), engine.loaded.model
    settings = {
        "attention_mask": torch.ones_like(ids),
        "max_new_tokens": engine.max_new_tokens,
        "do_sample": False,
        "eos_token_id": list(engine.stop_ids),
    }
    with torch.inference_mode():
        if side == "base":
            with model.disable_adapter():
                out = model.generate(input_ids=ids, **settings)
        else:
            out = model.generate(input_ids=ids, **settings)
    return engine.loaded.chat.tokenizer.decode(
        out[0, len(prompt) :], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )


def time_singly(engine: LocalEngine, rows: list[dict]) -> tuple[float, Answers]:
    """All answers one after the other."""
    begun = time.perf_counter()
    pairs = [(number, side) for number in range(len(rows)) for side in engine.sides]
    found = {(number, side): generate_singly(engine, rows[number], side) for number, side in pairs}
    return time.perf_counter() - begun, found


def time_before(folder: Path, rows: list[dict]) -> tuple[float, Answers]:
    """The batched evaluation of an earlier checkout, with today's weights."""
    seconds, found = json.loads(run_in(folder, BEFORE, given=json.dumps(SETTINGS | {"rows": rows})))
    return seconds, {(row, side): text for row, side, text in found}


def time_batched(engine: LocalEngine, rows: list[dict]) -> tuple[float, Answers]:
    """As `python -m newsft.evaluation` answers them."""
    begun = time.perf_counter()
    plan = generate.plan_batches(engine, rows, batch_rows=generate.BATCH_ROWS)
    found = [one for numbers in plan for one in generate.generate_batch(engine, rows, numbers)]
    return time.perf_counter() - begun, {(one.row, one.side): one.text for one in found}


def main() -> None:
    """Print both speeds, their ratio and, last, one JSON line."""
    parser = Flags(__doc__, rows=4)
    parser.add_argument(
        "--rows",
        type=int,
        default=0,
        help="only every so many-th row, so that about this many are taken; 0 takes all 495",
    )
    parser.add_argument("--before", type=Path, help="an earlier checkout, whose evaluation is measured instead")
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    split = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio)
    engine = load_engine(recipe, examples=split.examples)
    rows = split.test[:: max(len(split.test) // arguments.rows, 1)] if arguments.rows else split.test
    ours, batched = time_batched(engine, rows)
    before = arguments.before and arguments.before.resolve()
    theirs, others = time_before(before, rows) if before else time_singly(engine, rows)
    result = {
        "answers": len(batched),
        "batched_s": round(ours, 1),
        "before_s" if before else "singly_s": round(theirs, 1),
        "speedup": round(theirs / ours, 2),
        "same_texts": sum(batched[key] == others[key] for key in batched),
    }
    print_result(result)


if __name__ == "__main__":
    main()
