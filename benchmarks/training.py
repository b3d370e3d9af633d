"""Our trainer against TRL's own, and an earlier checkout's, on the same rows with the miniature's recipe: seconds per optimizer step, and the loss.

python -m benchmarks.training [--steps 12] [--runs 5] [--before ../before]        a worktree of commit 4c22b7d, whose trainer computed padded batches

Ours computes a batch as one sequence without padding.
"""

import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from trl import SFTTrainer

from benchmarks.checkout import run_in
from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows, split_rows
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from newsft.training import sft
from newsft.training.preflight import encode_rows
from newsft.training.trainer import Trainer


class PlainTrainer(SFTTrainer):
    """TRL's own, which takes no word about the run."""

    def __init__(self, *, about: None, **settings):
        super().__init__(**settings)


WAYS = {"trl": PlainTrainer, "ours": Trainer}
SAME = ("model", "data", "max_length", "lora_r", "lora_alpha", "lora_dropout", "lora_targets", "learning_rate")
BEFORE = """
import json, sys, tempfile, time, torch
from dataclasses import replace
from pathlib import Path
from newsft import data, models, training
from newsft.recipe import RECIPES
recipe = replace(RECIPES["mini"], **json.loads(sys.argv[1]), save_every=10**6)
rows = data.split_rows(data.load_rows(recipe.data), test_ratio=recipe.test_ratio).train
loaded = models.load_base(recipe.model)
encoded = training.encode_rows(loaded, rows, recipe)
with tempfile.TemporaryDirectory() as folder:
    torch.manual_seed(recipe.seed)
    trainer = training.build_trainer(loaded, encoded, recipe, Path(folder), callbacks=[])
    trainer.args.save_strategy = "no"
    begun = time.perf_counter()
    loss = trainer.train().training_loss
    print((time.perf_counter() - begun) / recipe.max_steps, loss)
"""


def time_training(way: str, rows: list[dict], steps: int) -> tuple[float, float]:
    """Seconds per optimizer step, and the mean loss."""
    recipe = replace(RECIPES["mini"], max_steps=steps, save_every=10**6)
    loaded = load_base(recipe.model)
    encoded = encode_rows(loaded, rows, recipe)
    with tempfile.TemporaryDirectory() as folder, patch.object(sft, "Trainer", WAYS[way]):
        torch.manual_seed(recipe.seed)
        trainer = sft.build_trainer(loaded, encoded, recipe, Path(folder), callbacks=[])
        trainer.args.save_strategy = "no"
        begun = time.perf_counter()
        loss = trainer.train().training_loss
        return (time.perf_counter() - begun) / steps, loss


def time_before(folder: Path, steps: int) -> tuple[float, float]:
    """The same of the trainer of an earlier checkout, with today's weights, rows and adapter."""
    settings = {name: getattr(RECIPES["mini"], name) for name in SAME} | {"max_steps": steps}
    seconds, loss = map(float, run_in(folder, BEFORE, json.dumps(settings)).split())
    return seconds, loss


def measure(rows: list[dict], steps: int, before: Path | None) -> dict[str, tuple[float, float]]:
    """Every way once."""
    found = {way: time_training(way, rows, steps) for way in WAYS}
    return found | ({"before": time_before(before, steps)} if before else {})


def main() -> None:
    """Print the medians of alternating runs and, last, one JSON line."""
    parser = Flags(__doc__, steps=1, runs=1)
    parser.add_argument("--steps", type=int, default=12, help="optimizer steps of one run")
    parser.add_argument("--runs", type=int, default=5, help="runs of each trainer, in turn")
    parser.add_argument("--before", type=Path, help="an earlier checkout, which is measured too")
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    rows = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio).train
    before = arguments.before and arguments.before.resolve()
    measured = [measure(rows, arguments.steps, before) for _ in range(arguments.runs)]
    result = {f"{way}_s_per_step": round(statistics.median(run[way][0] for run in measured), 3) for way in measured[0]}
    result |= {
        f"ours_against_{way}": round(statistics.median(run[way][0] / run["ours"][0] for run in measured), 2)
        for way in measured[0]
        if way != "ours"
    }
    result |= {
        "loss": {way: round(loss, 5) for way, (_, loss) in measured[0].items()},
        "steps": arguments.steps,
        "runs": arguments.runs,
    }
    print_result(result)


if __name__ == "__main__":
    main()
