"""A training run's output folder: claimed by one run, an earlier run moved aside."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from newsft.errors import UserError
from newsft.models.growth import GROWTH
from newsft.models.run_record import RUN_FILE
from newsft.training.checkpoints import STAGING

LOCK_FILE = ".training.lock"


@contextmanager
def claimed(output: Path, *, resume: bool) -> Iterator[None]:
    """The output folder for one run alone. An earlier run's results are moved aside, never overwritten.

    The claim is a lock that the system holds, so it ends with the process however that ends; a number written to a file would outlive it and may be
    another process's by then. A run that fails before it has written anything leaves no folder that was not there. Raises UserError where another run is writing there, where the folder holds something else, or cannot be written.
    """
    lock = FileLock(output / LOCK_FILE, timeout=0)
    made = [path for path in (output, *output.parents) if not path.exists()]
    try:
        _claim(output, lock, resume=resume)
        yield
    finally:
        if lock.is_locked:
            (output / LOCK_FILE).unlink(missing_ok=True)
            lock.release()
        for folder in made:
            with suppress(OSError):  # it holds something
                folder.rmdir()


def _claim(output: Path, lock: FileLock, *, resume: bool) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        lock.acquire()
        shutil.rmtree(output / STAGING, ignore_errors=True)  # half written by a run that was killed
        if not resume and any(path.name != LOCK_FILE for path in output.iterdir()):
            _move_aside(output)  # the lock file moves with it
            lock.release()
            output.mkdir()
            lock.acquire()
    except Timeout as error:
        raise UserError(
            f"Another training run is writing to {output}; wait for it or give another folder with --output."
        ) from error
    except FileExistsError as error:
        raise UserError(f"{output} is in use or is not a folder; give another folder with --output.") from error
    except OSError as error:
        raise UserError(
            f"The output folder {output} cannot be written ({error.strerror}); give another one with --output."
        ) from error


def _move_aside(output: Path) -> None:
    left = [output / RUN_FILE, output / GROWTH, *output.glob("checkpoint-*")]  # by a whole run, or one that was killed
    if not any(path.exists() for path in left):
        raise UserError(
            f"The folder {output} holds something that is not a training run; give an empty or new folder with --output."
        )
    number = 1
    while (old := output.with_name(f"{output.name}.{number}")).exists():
        number += 1
    output.rename(old)
    (old / LOCK_FILE).unlink()
    print(f"the earlier run in {output} was moved to {old}")
