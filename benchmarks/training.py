"""Our trainer, with a step's rows padded and behind their shared prefix, against TRL's own on the same rows, the miniature's recipe: seconds per optimizer step.

python -m benchmarks.training [--steps 12] [--runs 5]
"""

import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from trl import SFTTrainer

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


WAYS = {"trl": (PlainTrainer, "off"), "padded": (Trainer, "off"), "shared": (Trainer, "on")}  # trainer, shared_prefix


def time_training(way: str, rows: list[dict], steps: int) -> tuple[float, float]:
    """Seconds per optimizer step, and the mean loss."""
    trainer_class, shared_prefix = WAYS[way]
    recipe = replace(RECIPES["mini"], max_steps=steps, save_every=10**6, shared_prefix=shared_prefix)
    loaded = load_base(recipe.model)
    encoded = encode_rows(loaded, rows, recipe)
    with tempfile.TemporaryDirectory() as folder, patch.object(sft, "Trainer", trainer_class):
        torch.manual_seed(recipe.seed)
        trainer = sft.build_trainer(loaded, encoded, recipe, Path(folder), callbacks=[])
        trainer.args.save_strategy = "no"
        begun = time.perf_counter()
        loss = trainer.train().training_loss
        return (time.perf_counter() - begun) / steps, loss


def main() -> None:
    """Print the medians of alternating runs and, last, one JSON line."""
    parser = Flags(__doc__, steps=1, runs=1)
    parser.add_argument("--steps", type=int, default=12, help="optimizer steps of one run")
    parser.add_argument("--runs", type=int, default=5, help="runs of each trainer, in turn")
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    rows = split_rows(load_rows(recipe.data), test_ratio=recipe.test_ratio).train
    measured = [{way: time_training(way, rows, arguments.steps) for way in WAYS} for _ in range(arguments.runs)]
    result = {f"{way}_s_per_step": round(statistics.median(run[way][0] for run in measured), 3) for way in WAYS}
    result |= {
        f"{way}_speedup": round(statistics.median(run["trl"][0] / run[way][0] for run in measured), 2)
        for way in ("padded", "shared")
    }
    result |= {
        "loss": {way: round(loss, 5) for way, (_, loss) in measured[0].items()},
        "steps": arguments.steps,
        "runs": arguments.runs,
    }
    print_result(result)


if __name__ == "__main__":
    main()
