"""Tokens per second of the base model's training, beside those of an earlier checkout, each in a process of its own.

python -m benchmarks.pretraining --before ../before        a worktree of commit 4c22b7d, whose trainer padded micro-batches and masked them
"""

import json
import statistics
from pathlib import Path

from benchmarks.checkout import run_in
from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.paths import ASSETS

# Both trainers' own stream and step; the older one in its last phase, as its shipped weights were trained.
HERE = """
import time
from transformers import AutoTokenizer
from newsft.mini import corpus, events, pretrain, schedule, stream, written
tokenizer = AutoTokenizer.from_pretrained("assets/mini")
arguments = pretrain.parse_flags(["--first", "0"])
run = pretrain.Run(tokenizer, arguments, device="cpu")
source = stream.Stream(tokenizer, corpus.split_articles(written.read_written())["base"], events.read_events(), schedule.PHASES["mixed"])
batches = [batch for chunk in range(2) for batch in source[chunk]]
for length in sorted({batch.ids.shape for batch in batches}):
    run.advance(next(batch for batch in batches if batch.ids.shape == length))
steps = [[batch] for batch in batches]
advance = lambda step: run.advance(step[0])
"""
BEFORE = """
import argparse, time
from transformers import AutoTokenizer
from newsft.mini import pretrain, stream
from newsft.mini.model import build_model
tokenizer = AutoTokenizer.from_pretrained("assets/mini")
run = pretrain.Run(tokenizer, argparse.Namespace(width=256, steps=20_000), device="cpu")
run._begin(build_model(tokenizer, layers=6, width=256))
run.step = 15_300
source = stream.Stream(tokenizer, steps=20_000, tokens=5_000, micro_tokens=2_000)
steps = [source[15_300 + number] for number in range({warm} + {steps})]
advance = run.advance
"""
TIMED = """
for step in steps[:{warm}]:
    advance(step)
tokens, begun = run.tokens, time.perf_counter()
for step in steps[{warm} : {warm} + {steps}]:
    advance(step)
print((run.tokens - tokens) / (time.perf_counter() - begun))
"""


def measure(code: str, folder: Path, *, warm: int, steps: int) -> float:
    """Tokens per second of one process in that checkout."""
    script = (code + TIMED).replace("{warm}", str(warm)).replace("{steps}", str(steps))
    return float(run_in(folder, script))


def main() -> None:
    """Print a table and, last, one JSON line."""
    parser = Flags(__doc__, runs=1, steps=1, warm=0)
    parser.add_argument("--before", type=Path, help="an earlier checkout; without it, this one alone is measured")
    parser.add_argument(
        "--runs", type=int, default=3, help="processes of each, of which the median counts (default: %(default)s)"
    )
    parser.add_argument("--steps", type=int, default=24, help="that are counted (default: %(default)s)")
    parser.add_argument(
        "--warm",
        type=int,
        default=16,
        help="steps before these: the first compile one shape after the other (default: %(default)s)",
    )
    arguments = parser.parse_args()
    here, before = [], []
    for _ in range(arguments.runs):
        here.append(measure(HERE, ASSETS.parent, warm=arguments.warm, steps=arguments.steps))
        if arguments.before:
            before.append(measure(BEFORE, arguments.before.resolve(), warm=arguments.warm, steps=arguments.steps))
    found = {
        "tokens_per_second": round(statistics.median(here)),
        "before": round(statistics.median(before)) if before else None,
    }
    found["ratio"] = round(found["tokens_per_second"] / found["before"], 2) if before else None
    print_result(json.loads(json.dumps(found)))


if __name__ == "__main__":
    main()
