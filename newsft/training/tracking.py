"""A run as other programs plot it while it goes, TensorBoard or Trackio: both on this machine, and neither needed."""

import importlib.util
import shlex
from pathlib import Path

from newsft.errors import UserError

TRACKERS = ("tensorboard", "trackio")
TENSORBOARD_FOLDER = "runs"  # in the output folder, where transformers puts it


def check_tracker(name: str | None) -> None:
    """UserError where the package of a tracker is not installed."""
    if name and importlib.util.find_spec(name) is None:
        raise UserError(f"--report-to {name} needs the package {name}; install it with: pip install {name}")


def tracking_settings(name: str | None, output: Path) -> dict:
    """What transformers' TrainingArguments take for a tracker; without one nothing is tracked."""
    return {
        "report_to": [name] if name else "none",
        "project": "newsft",
        "run_name": output.name,
        "trackio_static_space_id": False,  # no copy on the hub when the run ends
    }


def describe_tracker(name: str, output: Path) -> str:
    """How to look at the run."""
    command = (
        f"tensorboard --logdir {shlex.quote(str(output / TENSORBOARD_FOLDER))}"
        if name == "tensorboard"
        else "trackio show --project newsft"
    )
    return f"tracked by {name}; see it with: {command}"
