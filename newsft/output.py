"""A training run's output folder: claimed by one run, an earlier run moved aside, the checkpoint to go on from."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from newsft.errors import UserError
from newsft.models import RUN_FILE

LOCK_FILE = ".training.lock"
CHECKPOINT_FILES = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "trainer_state.json")


def find_checkpoint(output: Path) -> Path | None:
    """The newest checkpoint in the output folder that is whole; a half-written one would crash or continue differently."""
    found = [path for path in output.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit() and all((path / name).exists() for name in CHECKPOINT_FILES)]
    return max(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def choose_checkpoint(output: Path, *, resume: bool) -> Path | None:
    """The checkpoint to go on from, or None for a run from the start."""
    checkpoint = find_checkpoint(output) if resume else None
    if resume and checkpoint is None:
        raise UserError(f"{output} holds no whole checkpoint to resume from; run the same command without --resume.")
    return checkpoint


@contextmanager
def claimed(output: Path, *, resume: bool) -> Iterator[None]:
    """The output folder for one run alone. An earlier run's results are moved aside, never overwritten.

    Raises UserError where another run is writing there, where the folder holds something else, or cannot be written.
    """
    lock = output / LOCK_FILE
    try:
        if lock.exists() and _is_running(lock.read_text()):
            raise UserError(f"Another training run is writing to {output}; wait for it or give another folder with --output.")
        lock.unlink(missing_ok=True)  # left behind by a run that was killed
        if output.exists() and any(output.iterdir()) and not resume:
            _move_aside(output)
        output.mkdir(parents=True, exist_ok=True)
        with lock.open("x") as file:
            file.write(str(os.getpid()))
    except FileExistsError as error:
        raise UserError(f"{output} is in use or is not a folder; give another folder with --output.") from error
    except OSError as error:
        raise UserError(f"The output folder {output} cannot be written ({error.strerror}); give another one with --output.") from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


def _move_aside(output: Path) -> None:
    if not (output / RUN_FILE).exists() and not any(output.glob("checkpoint-*")):
        raise UserError(f"The folder {output} holds something that is not a training run; give an empty or new folder with --output.")
    number = 1
    while (old := output.with_name(f"{output.name}.{number}")).exists():
        number += 1
    output.rename(old)
    print(f"the earlier run in {output} was moved to {old}")


def _is_running(text: str) -> bool:
    try:
        os.kill(int(text), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True
