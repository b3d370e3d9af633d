"""All runs of a page: whose each is, which one the machine trains, which wait, and which are so old that they go."""

import atexit
import dataclasses
import logging
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from newsft.errors import UserError, one_line
from newsft.recipe import Recipe
from newsft.runs.run import BUSY, DONE, FAILED, RUNNING, STOPPED, STOPPING, WAITING, Progress, Run, no_room
from newsft.runs.wish import Limits, Wish, check_upload, make_recipe
from newsft.training.journal import STOP

PREFIX, LOCK_FILE = "newsft-runs-", ".lock"
SWEEP_SECONDS = 60.0  # between two looks at what is too old


class Runs:
    """Starts, stops and keeps runs; safe for threads. A reader is known by a token that nobody else has.

    `on_done` is called with a run whose adapter is there, `on_gone` with one that is removed, both from the thread that waits for the processes.
    """

    def __init__(
        self,
        base: Recipe,
        *,
        limits: Limits | None = None,
        on_done: Callable[[Run], None] = lambda run: None,
        on_gone: Callable[[Run], None] = lambda run: None,
    ):
        self.base, self.limits, self.on_done, self.on_gone = base, limits or Limits(), on_done, on_gone
        _remove_abandoned()
        self._root = Path(tempfile.mkdtemp(prefix=PREFIX))
        self._lock_file = FileLock(self._root / LOCK_FILE)  # held as long as this process lives
        self._lock_file.acquire()
        self._changed = threading.Condition(threading.RLock())
        self._runs: list[Run] = []
        self._queue: list[Run] = []
        self._closed = False
        threading.Thread(target=self._work, daemon=True).start()
        atexit.register(self.close)

    def make_recipe(self, wish: Wish, *, output: Path | None = None) -> Recipe:
        """The recipe of a wish; UserError for a setting out of its range."""
        return make_recipe(self.base, wish, limits=self.limits, output=output or self._root / "adapter")

    def start(self, reader: str, wish: Wish) -> Run:
        """A new run, which begins when the machine is free. UserError for wrong settings, while the reader's last run goes on, and where too many wait."""
        if not reader:
            raise UserError(
                "This browser keeps no data for the page; allow it and load the page again.", key="run_no_reader"
            )
        folder = self._root / secrets.token_hex(6)
        recipe = self.make_recipe(wish, output=folder / "adapter")
        if wish.upload:
            check_upload(wish.upload, self.limits)
        with self._changed:
            self._refuse_second(reader)
            run = Run(folder.name, reader, recipe, wish.faults, folder)
            try:
                folder.mkdir()
                if wish.upload:
                    kept = folder / f"rows{wish.upload.suffix.lower()}"
                    shutil.copyfile(wish.upload, kept)
                    run.recipe = dataclasses.replace(recipe, data=str(kept))
            except OSError as error:
                run.remove()
                raise no_room(error) from error
            self._runs.append(run)
            self._put(run)
        return run

    def stop(self, reader: str) -> None:
        """End the reader's run: at its next step with a checkpoint, or, where it waits, now."""
        with self._changed:
            run = self.find(reader)
            if run in self._queue:
                self._queue.remove(run)
                run.end(STOPPED)
            elif run and run.state == RUNNING:
                run.state = STOPPING
                run.order(STOP)

    def resume(self, reader: str) -> Run:
        """Let the reader's stopped or failed run go on from its checkpoint, or from the start where it has none."""
        with self._changed:
            run = self.find(reader)
            if run is None or run.state not in (STOPPED, FAILED):
                raise UserError("There is no stopped run to go on with; start one.", key="run_nothing_stopped")
            self._refuse_second(reader)
            self._put(run)
        return run

    def find(self, reader: str) -> Run | None:
        """The reader's newest run."""
        with self._changed:
            return next((run for run in reversed(self._runs) if reader and run.reader == reader), None)

    def finished(self, reader: str) -> list[Run]:
        """The reader's runs whose adapters are there, the oldest first."""
        with self._changed:
            return [run for run in self._runs if reader and run.reader == reader and run.state == DONE]

    def progress(self, reader: str) -> Progress | None:
        """How far the reader's newest run is."""
        run = self.find(reader)
        if run is None:
            return None
        with self._changed:
            place = self._queue.index(run) + 1 if run in self._queue else None
        return run.progress(place)

    def sweep(self, *, now: float | None = None) -> None:
        """Remove what is too old, more than one reader's share, or, the oldest first, more than the disk is to hold; the newest of all stays.

        A reader's share is of finished runs; of the others only the newest run can go on, so earlier ones go.
        """
        now = time.time() if now is None else now
        with self._changed:
            ended = sorted((run for run in self._runs if run.state not in BUSY), key=lambda run: run.ended or 0.0)
            newest = {run.reader: run for run in self._runs}
        gone = [run for run in ended if now - (run.ended or now) > self.limits.age]
        for run in ended:
            later = [other for other in ended if other.reader == run.reader and (other.ended or 0) > (run.ended or 0)]
            superseded = run.state != DONE and run is not newest.get(run.reader)
            if superseded or sum(other.state == DONE for other in later) >= self.limits.per_reader:
                gone.append(run)
        sizes = {run.id: _size(run.folder) for run in self._runs}
        for run in ended[:-1]:
            left = sum(size for one, size in sizes.items() if one not in {other.id for other in gone})
            if left > self.limits.kept:
                gone.append(run)
        for run in {run.id: run for run in gone}.values():
            self._remove(run)

    def close(self) -> None:
        """End the process that runs, and delete everything."""
        with self._changed:
            self._closed = True
            self._queue.clear()
            for run in self._runs:
                run.kill()
            self._changed.notify_all()
        atexit.unregister(self.close)
        self._lock_file.release()
        shutil.rmtree(self._root, ignore_errors=True)

    def _put(self, run: Run) -> None:
        run.state, run.ended, run.problem = WAITING, None, None
        self._queue.append(run)
        self._changed.notify_all()

    def _refuse_second(self, reader: str) -> None:
        run = self.find(reader)
        if run and run.state in BUSY:
            raise UserError("Your run is still going on; stop it, or wait for its end.", key="run_second")
        if len(self._queue) >= self.limits.waiting:
            message = f"{self.limits.waiting} runs are waiting already; try again in a while."
            raise UserError(message, key="run_full", limit=self.limits.waiting)

    def _remove(self, run: Run) -> None:
        with self._changed:
            if run not in self._runs or run.state in BUSY:
                return
            self._runs.remove(run)
        self.on_gone(run)
        run.remove()

    def _work(self) -> None:
        while not self._closed:
            if run := self._begin_next():
                state, problem = run.wait()
                if state == DONE and not self._closed:
                    run.drop_checkpoints()
                    problem = self._tell_done(run)
                with self._changed:
                    run.end(state, problem)
            if not self._closed:
                try:
                    self.sweep()
                except Exception:  # whatever it is, this thread starts everybody's runs
                    logging.getLogger(__name__).exception("old runs could not be removed")

    def _begin_next(self) -> Run | None:
        """The process of the run that has waited longest; None where none waits, after a while, and where it could not be started."""
        with self._changed:
            if not self._queue:
                self._changed.wait(SWEEP_SECONDS)
            if self._closed or not self._queue:
                return None
            run = self._queue.pop(0)
            try:
                run.start()
            except UserError as error:
                run.end(FAILED, error)
                return None
            return run

    def _tell_done(self, run: Run) -> UserError | None:
        try:
            self.on_done(run)
        except UserError as error:
            return error
        except Exception as error:
            logging.getLogger(__name__).exception("the adapter of the run %s could not be offered", run.id)
            message = "The adapter is there, but the page could not load it; download it, or train again."
            return UserError(message, key="run_not_offered", reason=one_line(error))
        return None


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # deleted meanwhile
            total += path.stat().st_size
    return total


def _remove_abandoned() -> None:
    """Delete what pages have left that were killed: their locks are free."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout):  # another user's, or of a page that runs
            lock = FileLock(folder / LOCK_FILE, timeout=0)
            lock.acquire()
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)
