"""Our trainer against TRL's own on the same batches, the miniature's recipe: seconds per optimizer step.

python -m benchmarks.training [--steps 12] [--runs 5]
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from trl import SFTTrainer

from benchmarks.result import print_result
from newsft import data, models, training
from newsft.recipe import RECIPES
from newsft.trainer import Trainer


def time_training(trainer_class: type[SFTTrainer], rows: list[dict], steps: int) -> tuple[float, float]:
    """Seconds per optimizer step, and the mean loss."""
    recipe = replace(RECIPES["mini"], max_steps=steps, save_every=10**6)
    loaded = models.load_base(recipe.model)
    encoded = training.encode_rows(loaded, rows, recipe)
    with tempfile.TemporaryDirectory() as folder, patch.object(training, "Trainer", trainer_class):
        torch.manual_seed(recipe.seed)
        trainer = training.build_trainer(loaded, encoded, recipe, Path(folder), callbacks=[])
        trainer.args.save_strategy = "no"
        begun = time.perf_counter()
        loss = trainer.train().training_loss
        return (time.perf_counter() - begun) / steps, loss


def main() -> None:
    """Print the medians of alternating runs and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=12, help="optimizer steps of one run")
    parser.add_argument("--runs", type=int, default=5, help="runs of each trainer, in turn")
    arguments = parser.parse_args()
    recipe = RECIPES["mini"]
    rows = data.split_rows(data.load_rows(recipe.data), test_ratio=recipe.test_ratio).train
    measured = [(time_training(Trainer, rows, arguments.steps), time_training(SFTTrainer, rows, arguments.steps)) for _ in range(arguments.runs)]
    result = {
        "ours_s_per_step": round(statistics.median(ours for (ours, _), _ in measured), 3),
        "trl_s_per_step": round(statistics.median(theirs for _, (theirs, _) in measured), 3),
        "speedup": round(statistics.median(theirs / ours for (ours, _), (theirs, _) in measured), 2),
        "loss": [round(loss, 5) for _, loss in measured[0]],
        "steps": arguments.steps,
        "runs": arguments.runs,
    }
    print_result(result)


if __name__ == "__main__":
    main()
