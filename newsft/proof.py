"""Two real training steps of the miniature on a correct and on a broken row: does the loss say anything, does the adapter move?"""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from newsft import models, training
from newsft.chat import Encoded
from newsft.recipe import RECIPES

STEPS = 2


@dataclass(frozen=True)
class Proof:
    """What the trainer reported in each step, and the largest change of any adapter weight."""

    losses: list[float]
    moved: float


def train_row(encoded: Encoded) -> Proof:
    """Fresh adapter, the shipped recipe's trainer, the same row in every batch. Takes a few seconds on two cores."""
    recipe = replace(RECIPES["mini"], max_steps=STEPS, log_every=1, save_every=10**6)
    loaded = models.load_base(recipe.model)
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(recipe.seed)
        trainer = training.build_trainer(loaded, [encoded] * recipe.batch_size * recipe.accumulation, recipe, Path(folder), callbacks=[])
        weights = {name: weight for name, weight in trainer.model.named_parameters() if weight.requires_grad}
        before = {name: weight.detach().clone() for name, weight in weights.items()}
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Proof(losses, max((weight.detach() - before[name]).abs().max().item() for name, weight in weights.items()))
