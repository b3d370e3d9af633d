"""One training undisturbed, one killed ten times and resumed each time, one whose disk fills up: `python -m tests.disturbed FOLDER SEED`.

Each run is a process of its own, forked where everything is imported and nothing has been computed yet. Leaves calm/, killed/ and full/ in FOLDER, the message of the full
disk in full.txt, and prints the steps behind which runs were killed.
"""

import os
import random
import resource
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

from tqdm import tqdm

import newsft.data.review
import newsft.models.load
import newsft.training.record
import newsft.training.sft  # noqa: F401 - with those above imported once, before the fork
import train
from newsft.training import checkpoints, output, preflight, progress  # noqa: F401
from tests import tiny

KILLS, STEPS = 10, 24
LARGEST = 8_000  # bytes of a file on the full disk: enough for the adapter, not for the optimizer's state


def run_forked(
    flags: list[str], *, after_step: Callable[[int], None] = lambda step: None, errors: Path | None = None
) -> int:
    """train.py in a new process, which calls `after_step`; returns the process's id."""
    sys.stdout.flush()
    if child := os.fork():
        return child
    code = 1
    try:
        told = progress.Progress.on_step_end

        def on_step_end(self, args, state, control, **named):
            told(self, args, state, control, **named)
            after_step(state.global_step)

        if errors:
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), 2)
        with (
            patch.object(sys, "argv", ["train.py", *flags]),
            patch.object(progress.Progress, "on_step_end", on_step_end),
        ):
            code = train.main()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def end_of(child: int) -> int:
    """Wait; the exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_killed(flags: list[str], *, steps: int, delay: float) -> None:
    """Kill the run `delay` seconds after so many steps, in the middle of whatever it does then."""
    reader, writer = os.pipe()
    child = run_forked(flags, after_step=lambda _: os.write(writer, b"."))
    os.close(writer)
    for _ in range(steps):
        os.read(reader, 1)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    assert end_of(child) == -signal.SIGKILL
    os.close(reader)


def be_killed(flags: list[str], folder: Path, chance: random.Random) -> None:
    """Kill it behind ten random steps, then let it end."""
    moments = sorted(chance.sample(range(1, STEPS), KILLS))
    for moment in moments:
        found = checkpoints.find_checkpoint(folder)
        done = int(found.name.removeprefix("checkpoint-")) if found else 0
        run_killed(
            [*flags, *(["--resume"] if found else [])], steps=max(moment - done, 0), delay=chance.uniform(0, 0.05)
        )
    assert end_of(run_forked([*flags, "--resume"])) == 0
    print("killed behind step", *moments)


def fill_disk(step: int) -> None:
    """From the third step on no file can grow beyond LARGEST: the system refuses it as it refuses a byte beyond the disk."""
    if step == 3:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, resource.RLIM_INFINITY))


def main() -> None:
    """All three."""
    tqdm.set_lock(
        threading.RLock()
    )  # its own is one for all processes: who is killed with it in hand would stop the others
    folder, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    model, rows = tiny.write_model(folder / "model"), tiny.write_rows(folder / "rows.jsonl", tiny.make_rows(38))
    calm, killed, full = (tiny.flags(model, rows, folder / name, steps=STEPS) for name in ("calm", "killed", "full"))
    assert end_of(run_forked(calm)) == 0
    be_killed(killed, folder / "killed", chance)
    assert end_of(run_forked(full, after_step=fill_disk, errors=folder / "full.txt")) == 2
    (folder / "kept.txt").write_text(" ".join(path.name for path in sorted((folder / "full").iterdir())))
    assert end_of(run_forked([*full, "--resume"])) == 0


if __name__ == "__main__":
    main()
