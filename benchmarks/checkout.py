"""Code that runs in another checkout, such as a worktree of an earlier commit, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from newsft.recipe import RECIPES

# Commit 4c22b7d's engine with the weights and data of SETTINGS, read from the standard input as `asked`.
ENGINE_BEFORE = """
import json, sys, time
from newsft import data, models
from newsft.engine import Engine
asked = json.load(sys.stdin)
split = data.split_rows(data.load_rows(asked["data"]), test_ratio=asked["test_ratio"])
loaded = models.add_adapter(models.load_base(asked["model"]), asked["adapter"])
engine = Engine(loaded, max_new_tokens=asked["max_new_tokens"], examples=split.examples)
"""
SETTINGS = {
    name: getattr(RECIPES["mini"], name) for name in ("model", "adapter", "data", "test_ratio", "max_new_tokens")
}


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
