"""One run of a reader: its folder, its process, and how far its journal says it is."""

import logging
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from newsft.encoding.row import Encoded
from newsft.errors import UserError
from newsft.paths import ASSETS, public_path
from newsft.recipe import Recipe, to_flags
from newsft.training.journal import read_journal, read_rows

PROGRAM = ASSETS.parent / "train.py"
WAITING, RUNNING, STOPPING, STOPPED, DONE, FAILED = "waiting", "running", "stopping", "stopped", "done", "failed"
BUSY = (WAITING, RUNNING, STOPPING)
ENDS = ("done", "stopped", "error")
LINES = 5  # of a dead run's last words


@dataclass(frozen=True)
class Progress:
    """A run as it stands: `steps` are its journal's, one a step; `batch` is the journal's first batch."""

    state: str
    place: int | None = None  # in the queue, from 1
    step: int = 0
    total: int = 0
    seconds_left: float | None = None
    steps: tuple[dict, ...] = ()
    report: str = ""
    batch: dict | None = None
    moved: bool | None = None
    problem: UserError | None = None

    @property
    def rows(self) -> list[Encoded]:
        """The first batch as the model was given it; empty as long as it is not known."""
        return read_rows(self.batch) if self.batch else []


@dataclass
class Run:
    """A reader's run. What it writes lies in `folder`, which is gone with it."""

    id: str
    reader: str
    recipe: Recipe
    faults: tuple[str, ...]
    folder: Path
    state: str = WAITING
    ended: float | None = None  # time.time()
    problem: UserError | None = None
    process: subprocess.Popen | None = field(default=None, repr=False)
    _packing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)
    _begun: int = 0  # events that earlier processes of this run have written

    @property
    def output(self) -> Path:
        """Where the adapter and its checkpoints lie."""
        return Path(self.recipe.output)

    @property
    def events(self) -> list[dict]:
        """The journal of all its processes."""
        return read_journal(self.folder / "journal.jsonl")

    @property
    def flags(self) -> list[str]:
        """The same run in a terminal: the flags of train.py."""
        return [*to_flags(self.recipe), *(["--fault", *self.faults] if self.faults else [])]

    @property
    def resumable(self) -> bool:
        """Whether a checkpoint is there to go on from."""
        return any(self.output.glob("checkpoint-*"))

    def start(self) -> None:
        """Start the process, from the newest checkpoint where there is one. UserError where the system refuses."""
        command = [sys.executable, str(PROGRAM), *self.flags, *(["--resume"] if self.resumable else [])]
        self._begun, self.problem = len(self.events), None
        try:
            with (self.folder / "log.txt").open("ab") as log:
                # A session of its own: Ctrl+C at the page's terminal ends the page, and thereby the run's standard input.
                self.process = subprocess.Popen(
                    [*command, "--watched", str(self.folder / "journal.jsonl")],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise no_room(error) from error
        self.state = RUNNING

    def order(self, what: str) -> None:
        """Write a line on the process's standard input; nothing where it has ended meanwhile."""
        with suppress(OSError, ValueError):
            self.process.stdin.write(f"{what}\n".encode())
            self.process.stdin.flush()

    def wait(self) -> tuple[str, UserError | None]:
        """Until the process has ended; the state that it has ended in, and what went wrong."""
        code = self.process.wait()
        with suppress(OSError):
            self.process.stdin.close()
        end = next((event for event in reversed(self.events[self._begun :]) if event["event"] in ENDS), None)
        if end and end["event"] == "done" and code == 0:
            return DONE, None
        if end and end["event"] == "stopped":
            return STOPPED, None
        return FAILED, self._explain(end, code)

    def end(self, state: str, problem: UserError | None = None) -> None:
        """From here on it stands in this state."""
        self.state, self.problem, self.ended = state, problem, time.time()

    def kill(self) -> None:
        """End the process now, if there is one."""
        if self.process and self.process.poll() is None:
            self.process.kill()

    def progress(self, place: int | None = None) -> Progress:
        """How far it is, from its journal."""
        events = self.events
        found = {
            name: [one for one in events if one["event"] == name]
            for name in ("step", "begin", "checked", "batch", "done")
        }
        steps = {one["step"]: one for one in found["step"]}  # a resumed run repeats some
        begin = found["begin"][-1] if found["begin"] else {"step": 0, "total": self.recipe.max_steps}
        here = [one for one in events[self._begun :] if one["event"] == "step"]
        step = max(here[-1]["step"] if here else 0, begin["step"])
        left = None
        if here and step > begin["step"]:
            left = here[-1]["seconds"] / (step - begin["step"]) * (begin["total"] - step)
        return Progress(
            state=self.state,
            place=place,
            step=step,
            total=begin["total"],
            seconds_left=left if self.state == RUNNING else None,
            steps=tuple(steps[number] for number in sorted(steps)),
            report=found["checked"][-1]["report"] if found["checked"] else "",
            batch=found["batch"][-1] if found["batch"] else None,
            moved=found["done"][-1]["moved"] if found["done"] else None,
            problem=self.problem,
        )

    def pack(self) -> Path:
        """The adapter's files without its checkpoints, as a zip that says nothing of this machine. UserError where it is not finished or the disk is full."""
        if self.state != DONE:
            raise UserError("The adapter is not finished; wait for the run's end.", key="run_unfinished")
        path = self.folder / "my-adapter.zip"
        part = path.with_suffix(".part")  # packed aside and renamed: somebody may be reading the one that is there
        try:
            with self._packing:
                if not path.exists():
                    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
                        for file in sorted(self.output.iterdir()):
                            if file.is_file() and not file.name.startswith("."):
                                self._add(archive, file)
                    part.replace(path)
        except OSError as error:
            raise no_room(error) from error
        return path

    def _add(self, archive: zipfile.ZipFile, file: Path) -> None:
        name = f"my-adapter/{file.name}"
        if file.suffix not in (".json", ".md"):
            archive.write(file, name)
            return
        text = file.read_text(encoding="utf-8")
        for place, shown in (
            (str(self.output), "my-adapter"),
            (f"{self.folder}/", ""),
            (self.recipe.model, public_path(self.recipe.model)),
        ):
            text = text.replace(place, shown)
        archive.writestr(name, text, zipfile.ZIP_DEFLATED)

    def drop_checkpoints(self) -> None:
        """Once the adapter is there nobody goes on from them, and they are several times its size."""
        for path in self.output.glob("checkpoint-*"):
            shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> None:
        """Delete all that it has written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _explain(self, end: dict | None, code: int) -> UserError:
        if end and end["event"] == "error":
            return UserError(end["text"], key=end["key"], **end["values"])
        try:
            last = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace").splitlines()[-LINES:]
        except OSError:
            last = []
        logging.getLogger(__name__).warning("the run %s ended with code %s: %s", self.id, code, " / ".join(last))
        return UserError(f"The training's process ended in the middle (code {code}).", key="run_died", code=code)


def no_room(error: OSError) -> UserError:
    """What a full disk, or one that cannot be written, is called on the page."""
    reason = error.strerror or str(error)
    return UserError(f"The run could not be written ({reason}); make room on the disk.", key="run_disk", reason=reason)
