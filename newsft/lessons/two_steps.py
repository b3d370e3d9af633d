"""Two real training steps of the miniature on a correct and on a broken row: does the loss say anything, does the adapter move?"""

import tempfile
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import Encoded
from newsft.errors import UserError
from newsft.models.load import load_base, load_chat
from newsft.recipe import RECIPES

STEPS = 2
PROOF_TOKENS = 2_048  # longest row that is trained on, as other readers wait until the two steps are done


@dataclass(frozen=True)
class Proof:
    """What the trainer reported in each step, and the largest change of any adapter weight."""

    losses: list[float]
    moved: float


@cache
def miniature_chat() -> ChatFormat:
    """The miniature's own chat format, which its rows have to be encoded with."""
    return load_chat(Path(RECIPES["mini"].model))


def train_row(encoded: Encoded) -> Proof:
    """Fresh adapter, the shipped recipe's trainer, the same row in every batch. Takes a few seconds on two cores."""
    if len(encoded) > PROOF_TOKENS:
        message = f"The row has {len(encoded):,} tokens, the small model is trained on at most {PROOF_TOKENS:,}; choose a shorter one."
        raise UserError(message, key="proof_too_long", count=len(encoded), limit=PROOF_TOKENS)
    from newsft.training.sft import build_trainer  # half a second of imports that the page need not wait for

    recipe = replace(
        RECIPES["mini"], max_steps=STEPS, warmup_ratio=0.0, log_every=1, save_every=10**6
    )  # the first step of a warm-up would not move anything
    loaded = load_base(recipe.model, on_cpu=True)  # quick enough, and the GPU stays free for the page's own model
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(recipe.seed)
        trainer = build_trainer(
            loaded, [encoded] * recipe.batch_size * recipe.accumulation, recipe, Path(folder), callbacks=[]
        )
        weights = {name: weight for name, weight in trainer.model.named_parameters() if weight.requires_grad}
        before = {name: weight.detach().clone() for name, weight in weights.items()}
        trainer.train()
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return Proof(losses, max((weight.detach() - before[name]).abs().max().item() for name, weight in weights.items()))
