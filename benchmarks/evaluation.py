"""The batched evaluation against one `generate` call at a time, on the same rows: answers per second, and whether the greedy texts agree.

python -m benchmarks.evaluation [--rows 32]
"""

import time

import torch

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.evaluation import generate
from newsft.inference.engine import LocalEngine, load_engine
from newsft.recipe import RECIPES


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


def main() -> None:
    """Print both speeds, their ratio and, last, one JSON line."""
    parser = Flags(__doc__, rows=4)
    parser.add_argument(
        "--rows",
        type=int,
        default=0,
        help="only every so many-th row, so that about this many are taken; 0 takes all 495",
    )
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    split = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio)
    engine = load_engine(recipe, examples=split.examples)
    rows = split.test[:: max(len(split.test) // arguments.rows, 1)] if arguments.rows else split.test
    begun = time.perf_counter()
    batched = {
        (one.row, one.side): one.text
        for numbers in generate.plan_batches(engine, rows, batch_rows=generate.BATCH_ROWS)
        for one in generate.generate_batch(engine, rows, numbers)
    }
    ours = time.perf_counter() - begun
    begun = time.perf_counter()
    singly = {
        (number, side): generate_singly(engine, row, side) for number, row in enumerate(rows) for side in engine.sides
    }
    theirs = time.perf_counter() - begun
    result = {
        "answers": len(batched),
        "batched_s": round(ours, 1),
        "singly_s": round(theirs, 1),
        "speedup": round(theirs / ours, 2),
        "same_texts": sum(batched[key] == singly[key] for key in batched),
    }
    print_result(result)


if __name__ == "__main__":
    main()
