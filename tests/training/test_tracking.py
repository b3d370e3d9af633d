"""A run tracked by TensorBoard or Trackio, on this machine: what they keep, and that the adapter is the same."""

import json
import sqlite3

import pytest

from newsft.errors import UserError
from newsft.training import tracking
from newsft.training.tracking import TRACKERS, check_tracker
from tests import programs, tiny


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """tracker -> output folder, what was printed, and Trackio's folder; without network and with nothing of the home."""
    folder = tmp_path_factory.mktemp("tracked")
    model, rows = tiny.write_model(folder / "model"), tiny.write_rows(folder / "rows.jsonl", tiny.make_rows(8))
    found = {}
    for tracker in ("", *TRACKERS):
        output, kept = folder / f"adapter {tracker}", folder / f"kept {tracker}"
        flags = [*tiny.flags(model, rows, output, steps=4), *(["--report-to", tracker] if tracker else [])]
        done = programs.run("train.py", *flags, HF_HUB_OFFLINE="1", TRACKIO_DIR=str(kept), HOME=str(folder))
        assert done.returncode == 0, done.stderr
        found[tracker] = output, done.stdout, kept
    return found


def test_tracked_run_trains_the_same_adapter(runs):
    assert len({(output / "adapter_model.safetensors").read_bytes() for output, _, _ in runs.values()}) == 1


def test_each_says_how_to_look_at_it(runs):
    output, told, _ = runs["tensorboard"]
    assert f"see it with: tensorboard --logdir '{output / 'runs'}'" in told
    assert "see it with: trackio show --project newsft" in runs["trackio"][1]
    assert "tracked by" not in runs[""][1] and not (runs[""][0] / "runs").exists()


def test_tensorboard_keeps_the_loss_of_every_step(runs):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    [folder] = (runs["tensorboard"][0] / "runs").iterdir()
    events = EventAccumulator(str(folder))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]


def test_trackio_keeps_the_loss_of_every_step(runs):
    with sqlite3.connect(runs["trackio"][2] / "newsft.db") as database:
        kept = [json.loads(metrics) for (metrics,) in database.execute("select metrics from metrics order by step")]
    # Trackio's own count is of what was logged, the validation loss included: the steps stand beside the losses.
    assert [held["train/global_step"] for held in kept if "train/loss" in held] == [1, 2, 3, 4]


@pytest.mark.parametrize("tracker", TRACKERS)
def test_missing_package_is_named_with_the_remedy(tracker, monkeypatch):
    monkeypatch.setattr(tracking.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=f"needs the package {tracker}; install it with: pip install {tracker}"):
        check_tracker(tracker)
    check_tracker(None)
