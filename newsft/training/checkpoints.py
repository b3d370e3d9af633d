"""Checkpoints that are whole or not there: written aside, renamed when complete, verified file by file before a run goes on from one."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors import SafetensorError

from newsft.errors import UserError
from newsft.models.run_record import RUN_FILE
from newsft.recipe import ELSEWHERE, Recipe

# Fingerprints that a resumed run has to share with the run that wrote the checkpoint, and what another one means.
SAME = {
    "base_fingerprint": "another base model",
    "data_fingerprint": "other rows",
    "template_fingerprint": "another chat template",
}
DEFAULTS = json.loads(Recipe().as_json())
STAGING = ".saving"  # in the output folder: what is being written
MANIFEST = "manifest.json"  # of a checkpoint: every other file's size and SHA-256
KEPT = 2  # whole checkpoints; where the newer one gets damaged, a run goes on from the older


def staging_folder(output: Path, step: int) -> Path:
    """Where the checkpoint of a step is written until it is whole."""
    return output / STAGING / f"checkpoint-{step}"


def publish(output: Path, step: int) -> None:
    """Give the staged checkpoint its manifest and its place, and delete all but the KEPT newest.

    Its place is taken by one rename: a run that is killed at any moment leaves whole checkpoints, and at most a staging folder.
    """
    staged, place = staging_folder(output, step), output / f"checkpoint-{step}"
    files = {
        str(path.relative_to(staged)): [path.stat().st_size, _digest(path)]
        for path in sorted(staged.rglob("*"))
        if path.is_file()
    }  # FSDP's lie in folders
    (staged / MANIFEST).write_text(
        json.dumps(files, indent=1), encoding="utf-8"
    )  # without a line end: a file cut short by one byte is then no valid JSON
    shutil.rmtree(place, ignore_errors=True)  # a damaged one, whose steps were done again
    staged.rename(place)
    shutil.rmtree(staged.parent)
    found = _list_checkpoints(output)
    passed = [path for path in found if _step(path) <= step]  # later ones are damaged: the run began before them
    for path in found:
        if path not in passed[-KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def staged_adapter(output: Path) -> Iterator[Path]:
    """A folder to write the results into; they go to `output` when all are written, the weights last: without them it is no adapter."""
    folder = output / STAGING / "adapter"
    with explained("The adapter", output):
        shutil.rmtree(folder.parent, ignore_errors=True)
        folder.mkdir(parents=True)
        yield folder
        for path in sorted(folder.iterdir(), key=lambda path: path.name == SAFETENSORS_WEIGHTS_NAME):
            os.replace(path, output / path.name)
        shutil.rmtree(folder.parent)


@contextmanager
def explained(what: str, output: Path) -> Iterator[None]:
    """UserError in the place of what the libraries raise where a file cannot be written; what was half written is deleted."""
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:  # RuntimeError is torch's
        said = isinstance(error, OSError) and error.strerror  # without the path, which is no reader's concern
        reason = said or (str(error).strip() or type(error).__name__).splitlines()[0]
        free = f"{shutil.disk_usage(output).free / 1e6:,.0f} MB are free"
        shutil.rmtree(output / STAGING, ignore_errors=True)
        kept = find_checkpoint(output)
        go_on = f"run the same command with --resume: {kept.name} is whole" if kept else "run the same command again"
        message = f"{what} could not be written to {output} ({reason}; {free}). Make room there, or correct what is named, then {go_on}."
        raise UserError(message, key="run_disk", reason=f"{reason}; {free}") from error


def find_damage(checkpoint: Path) -> str | None:
    """What makes a checkpoint unfit to go on from; None where every file is as it was written."""
    try:
        files = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return f"{MANIFEST} is missing or damaged"
    for name, (size, digest) in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} bytes instead of {size:,}"
        if _digest(path) != digest:
            return f"{name} has changed since it was written"
    return None


def find_checkpoint(output: Path) -> Path | None:
    """The newest whole checkpoint in the output folder."""
    return next((path for path in reversed(_list_checkpoints(output)) if not find_damage(path)), None)


def choose_checkpoint(output: Path, *, resume: bool, tell: Callable[[str], None] = print) -> Path | None:
    """The checkpoint to go on from, or None for a run from the start; `tell` hears of damaged ones that are passed over.

    Raises UserError where there is no whole one.
    """
    if not resume:
        return None
    damaged = []
    for path in reversed(_list_checkpoints(output)):
        damage = find_damage(path)
        if damage is None:
            if damaged:
                tell(f"damaged: {'; '.join(damaged)}. Going on from {path.name}, the newest whole checkpoint")
            return path
        damaged.append(f"{path.name} ({damage})")
    found = f"; damaged: {'; '.join(damaged)}" if damaged else ""
    message = f"{output} holds no whole checkpoint to resume from{found}; run the same command without --resume."
    raise UserError(message, key="run_no_checkpoint")


def read_about(checkpoint: Path) -> dict:
    """What is known of the run that wrote a whole checkpoint (`record.describe_run`)."""
    return json.loads((checkpoint / RUN_FILE).read_text(encoding="utf-8"))


def check_same_run(checkpoint: Path, about: dict) -> list[str]:
    """What differs between the run that wrote `checkpoint` and this one (`about`: `record.describe_run`) and may change the last digits.

    Raises UserError where base, data, settings or the number of processes differ: the adapter would be that of neither run.
    """
    before = read_about(checkpoint)
    changed = [what for name, what in SAME.items() if before[name] != about[name]]
    for name, now in about["recipe"].items():
        earlier = before["recipe"].get(name, DEFAULTS.get(name))  # a record of an earlier version lacks newer settings
        if name not in ELSEWHERE and earlier != now:
            changed.append(f"--{name.replace('_', '-')} {earlier} instead of {now}")
    if before.get("faults") != about.get("faults"):
        faults = [" ".join(one.get("faults", ["none"])) for one in (before, about)]
        changed.append(f"--fault {faults[0]} instead of {faults[1]}")
    if before["processes"] != about["processes"]:
        changed.append(f"{before['processes']} process(es) instead of {about['processes']}")
    if changed:
        raise UserError(
            f"{checkpoint} was made with {', '.join(changed)}; resume with what it was made with, or start anew without --resume."
        )
    earlier, today = (one["versions"] | {"device": one["device"]} for one in (before, about))
    differing = [name for name, now in today.items() if earlier.get(name) != now]
    return [
        f"{name} was {earlier.get(name)} and is {today[name]}: the result may differ in the last digits"
        for name in differing
    ]


def _list_checkpoints(output: Path) -> list[Path]:
    """By step, whole or not."""
    return sorted(
        (path for path in output.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()), key=_step
    )


def _step(path: Path) -> int:
    return int(path.name.removeprefix("checkpoint-"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
