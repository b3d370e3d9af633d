"""One training run, from a recipe to a saved adapter: read, load, encode, check, train, save."""

import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from newsft.data.messages import row_messages
from newsft.data.rows import Split
from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import Encoded
from newsft.errors import UserError
from newsft.models import distributed
from newsft.models.load import Loaded, load_base, on_day_of
from newsft.models.lora import has_moved
from newsft.paths import short_path
from newsft.recipe import Recipe
from newsft.training import checkpoints
from newsft.training.growth import KeepGrowth
from newsft.training.output import claimed
from newsft.training.preflight import Tell, encode_rows, preflight, read_rows
from newsft.training.progress import Progress
from newsft.training.record import describe_run, gather_weights, save_run
from newsft.training.sft import build_trainer, choose_precision
from newsft.training.tracking import describe_tracker
from newsft.training.trainer import Trainer
from newsft.training.watch import Stopped, Watch


@dataclass(frozen=True)
class Mistake:
    """A mistake that is trained on purpose: the names of its faults, and what code with them makes of a conversation."""

    names: tuple[str, ...]
    break_row: Callable[[ChatFormat, Sequence[dict]], Encoded]


def run(
    recipe: Recipe,
    *,
    check: Callable[[Loaded, Split], None],
    write_card: Callable[[Path], None],
    resume: bool = False,
    hub_name: str | None = None,
    tracker: str | None = None,
    mistake: Mistake | None = None,
    watch: Watch | None = None,
    tell: Tell = print,
) -> Path:
    """Train and save; the folder with the adapter.

    `check` is called when base model and data are there, `write_card` when the adapter is saved in its folder: for what belongs to evaluation and
    publishing, which the training knows nothing of. Rows are trained with a `mistake` where one is given. Raises UserError for what the user can
    put right, and Stopped where who watches asked for it.
    """
    tell(f"recipe {recipe.name}: {short_path(recipe.model)} on {short_path(recipe.data)}")
    if fallback := distributed.describe_fallback(gpus=torch.cuda.device_count()):
        tell(f"note: {fallback}")
    split, folder = read_rows(recipe, tell), Path(recipe.output)
    with claimed(folder, resume=resume) if distributed.is_main() else nullcontext():
        checkpoint = checkpoints.choose_checkpoint(folder, resume=resume, tell=tell)
        loaded = load_base(recipe.model, quantize=recipe.quantize, attention=recipe.attention)
        tell(loaded.describe())
        if checkpoint:
            loaded.chat = on_day_of(loaded.chat, checkpoints.read_about(checkpoint))
        if loaded.chat.is_dated:
            tell(
                f"the chat template writes the date: every row has {loaded.chat.day}, and so will every prompt to this adapter"
            )
        check(loaded, split)
        about = describe_run(loaded, split, recipe) | ({"faults": list(mistake.names)} if mistake else {})
        for difference in checkpoints.check_same_run(checkpoint, about) if checkpoint else []:
            tell(f"note: {difference}")
        trainer = prepare(loaded, split, recipe, about, tracker=tracker, mistake=mistake, watch=watch, tell=tell)
        seconds = train_to_end(trainer, checkpoint, watch)
        weights = gather_weights(trainer)
        if distributed.is_main():
            with checkpoints.staged_adapter(folder) as staged:
                save_run(trainer, about, recipe, staged, seconds=seconds, hub_name=hub_name, weights=weights)
            write_card(folder)
            tell_moved(folder, watch, tell)
    tell(
        f"adapter saved in {folder} after {seconds:.0f} s; see it with: python app.py --adapter {shlex.quote(str(folder))}"
    )
    return folder


def train_to_end(trainer: Trainer, checkpoint: Path | None, watch: Watch | None) -> float:
    """Train, from a checkpoint where there is one; the seconds that it took, those before the checkpoint among them. Stopped where who watches asked for it."""
    trainer.begin_clock(checkpoints.read_about(checkpoint).get("seconds", 0.0) if checkpoint else 0.0)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if watch and watch.stopped:
        raise Stopped
    return trainer.seconds


def tell_moved(folder: Path, watch: Watch | None, tell: Tell) -> None:
    """Say so where the training has changed nothing, which no loss shows."""
    moved = has_moved(folder)
    if not moved:
        tell(
            "note: the adapter did not move: B·A is 0 in every layer, so tuned and base answer alike; nothing was trained"
        )
    if watch:
        watch.journal.write("done", moved=moved)


def prepare(
    loaded: Loaded,
    split: Split,
    recipe: Recipe,
    about: dict,
    *,
    tracker: str | None = None,
    mistake: Mistake | None = None,
    watch: Watch | None = None,
    tell: Tell,
) -> Trainer:
    """The trainer for the encoded rows, once these have passed the pre-flight check; UserError where they do not and no mistake was wanted."""
    first = len(split.test)
    encoded = encode_rows(loaded, split.train, recipe, first=first)
    if mistake:
        tell(f"trained on purpose with the mistake(s) {', '.join(mistake.names)}")
        encoded = [
            mistake.break_row(loaded.chat, one.messages or row_messages(row))
            for row, one in zip(split.train, encoded, strict=True)
        ]
    report = preflight(loaded, split.train, encoded, recipe, first=first)
    tell(report.report())
    if watch:
        watch.journal.write("checked", report=report.report(), failed=bool(report.failures))
    if report.failures and not mistake:
        raise UserError(
            "The pre-flight check failed; nothing was trained. Correct the rows or the chat template named above.",
            key="preflight_failed",
        )
    validation = encode_rows(loaded, split.test[: recipe.eval_rows], recipe)
    kept = {"about": about, "validation": validation, "callbacks": [Progress()] if distributed.is_main() else []}
    trainer = build_trainer(loaded, encoded, recipe, Path(recipe.output), tracker=tracker, **kept)
    if tracker:
        tell(describe_tracker(tracker, Path(recipe.output)))
    trainer.add_callback(KeepGrowth(trainer, Path(recipe.output), recipe.keep_steps, about=about))
    if watch:
        trainer.add_callback(watch)
        order = list(trainer.choose_order())
        watch.show_batch([encoded[row] for row in order[: recipe.batch_size]], pad_id=loaded.chat.pad_id)
    trained, total = trainer.model.get_nb_trainable_parameters()
    precision = choose_precision(loaded, recipe)
    tell(f"adapter: {trained:,} of {total:,} parameters are trained, multiplied as {precision}")
    return trainer
