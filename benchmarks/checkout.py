"""Code that runs in another checkout, such as a worktree of an earlier commit, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def run_in(folder: Path, code: str, *arguments: str, given: str = "") -> str:
    """The last line that `code` prints there, with `given` as its standard input; ends this program with what the other complained of where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=given,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.splitlines()[-1]
