"""Trainings that are killed, that run out of disk, or whose checkpoints are damaged: they end with the adapter of an undisturbed one, or say why they cannot."""

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import train
from newsft.errors import UserError
from newsft.models.load import add_adapter, load_base
from newsft.training import checkpoints
from tests import tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    folder, seed = tmp_path_factory.mktemp("disturbed"), str(random.randrange(10**6))
    done = subprocess.run(
        [sys.executable, "-m", "tests.disturbed", str(folder), seed],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, (seed, done.stdout[-2000:], done.stderr[-2000:])
    print("seed", seed, done.stdout.splitlines()[-1])  # shown where a test fails
    return folder


def adapter(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def test_run_killed_behind_ten_random_steps_ends_with_the_undisturbed_adapter_bit_for_bit(disturbed):
    assert adapter(disturbed / "killed") == adapter(disturbed / "calm")
    assert adapter(disturbed / "calm/checkpoint-22") != adapter(disturbed / "calm")  # it was still moving


def test_full_disk_is_told_with_the_remedy_and_leaves_the_last_checkpoint_whole(disturbed):
    errors = [
        line for line in (disturbed / "full.txt").read_text(encoding="utf-8").splitlines() if line.startswith("error:")
    ]
    assert len(errors) == 1
    for words in ("checkpoint of step 4", "MB are free", "Make room", "--resume: checkpoint-2 is whole"):
        assert words in errors[0]
    assert (disturbed / "kept.txt").read_text() == "checkpoint-2 growth"


def test_run_goes_on_when_there_is_room_again(disturbed):
    assert adapter(disturbed / "full") == adapter(disturbed / "calm")


@pytest.mark.parametrize("run", ["calm", "killed", "full"])
def test_finished_run_leaves_the_adapter_and_two_whole_checkpoints(disturbed, run):
    names = {path.name for path in (disturbed / run).iterdir()}
    assert names == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "checkpoint-22",
        "checkpoint-24",
        "growth",
        "loss.png",
        "recipe.json",
        "run.json",
    }
    assert not any(checkpoints.find_damage(disturbed / run / name) for name in names if name.startswith("checkpoint-"))


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def run(disturbed, tmp_path):
    """A copy of the undisturbed run: checkpoints of steps 22 and 24, the last."""
    return shutil.copytree(disturbed / "calm", tmp_path / "run")


def resume(disturbed: Path, run: Path, monkeypatch, **settings: object) -> None:
    flags = tiny.flags(disturbed / "model", disturbed / "rows.jsonl", run, steps=24) + [
        text for name, value in settings.items() for text in (f"--{name.replace('_', '-')}", str(value))
    ]
    monkeypatch.setattr(sys, "argv", ["train.py", *flags, "--resume"])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the undisturbed run: sums in another order differ in the last digits
    try:
        train.main.__wrapped__()  # with its errors
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("damage", [truncate, empty, Path.unlink, flip_a_bit])
def test_checkpoint_with_any_damaged_file_is_passed_over_and_named(run, damage):
    newest = run / "checkpoint-24"
    names = {path.name for path in newest.iterdir()}
    assert {
        "adapter_model.safetensors",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "trainer_state.json",
        "run.json",
        "manifest.json",
    } <= names
    for name in names:
        kept = (newest / name).read_bytes()
        damage(newest / name)
        if damage is not flip_a_bit or name != "manifest.json":  # a bit in it may turn a space into another
            told = []
            assert checkpoints.choose_checkpoint(run, resume=True, tell=told.append) == run / "checkpoint-22"
            assert "checkpoint-24" in told[0] and name in told[0]
        (newest / name).write_bytes(kept)
    assert checkpoints.choose_checkpoint(run, resume=True) == newest


def test_run_without_a_whole_checkpoint_is_refused_and_each_damage_named(run):
    empty(run / "checkpoint-24" / "optimizer.pt")
    (run / "checkpoint-22" / "rng_state.pth").unlink()
    with pytest.raises(
        UserError,
        match=r"no whole checkpoint .*checkpoint-24 \(optimizer.pt has 0 bytes instead of .*checkpoint-22 \(rng_state.pth is missing\); run the same command without --resume",
    ):
        checkpoints.choose_checkpoint(run, resume=True)


def test_run_that_falls_back_to_the_older_checkpoint_ends_with_the_same_adapter(disturbed, run, monkeypatch, capsys):
    empty(run / "checkpoint-24" / "optimizer.pt")
    (run / "adapter_model.safetensors").unlink()
    resume(disturbed, run, monkeypatch)
    assert "Going on from checkpoint-22" in capsys.readouterr().out
    assert adapter(run) == adapter(disturbed / "calm")
    assert checkpoints.find_checkpoint(run) == run / "checkpoint-24"


def test_run_killed_after_its_last_step_takes_no_other_step(disturbed, run, monkeypatch):
    (run / "adapter_model.safetensors").unlink()
    resume(disturbed, run, monkeypatch)
    assert adapter(run) == adapter(disturbed / "calm")
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["steps"] == 24


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_rate": 0.02}, "--learning-rate 0.01 instead of 0.02"),
        ({"lora_targets": "q_proj"}, "--lora-targets"),
        ({"max_steps": 40}, "--max-steps 24 instead of 40"),
    ],
)
def test_run_is_not_resumed_with_other_settings(disturbed, run, monkeypatch, settings, words):
    with pytest.raises(UserError, match=f"{words}.*start anew without --resume"):
        resume(disturbed, run, monkeypatch, **settings)


def test_run_is_not_resumed_on_other_rows_or_another_base_but_wherever_they_lie(disturbed, run, monkeypatch, tmp_path):
    rows = tiny.write_rows(tmp_path / "rows.jsonl", tiny.make_rows(39))
    with pytest.raises(UserError, match="other rows"):
        resume(disturbed, run, monkeypatch, data=rows)
    with pytest.raises(UserError, match="another base model"):
        resume(disturbed, run, monkeypatch, model=tiny.write_model(tmp_path / "other", seed=1))
    resume(
        disturbed,
        run,
        monkeypatch,
        data=tiny.write_rows(rows, tiny.make_rows(38)),
        model=shutil.copytree(disturbed / "model", tmp_path / "same"),
    )


def test_other_versions_are_told_on_resuming(run):
    about = json.loads((run / "checkpoint-24" / "run.json").read_text(encoding="utf-8"))
    assert checkpoints.check_same_run(run / "checkpoint-24", about) == []
    differences = checkpoints.check_same_run(
        run / "checkpoint-24", about | {"versions": about["versions"] | {"torch": "0.1"}}
    )
    assert len(differences) == 1 and "torch" in differences[0] and "last digits" in differences[0]
    with pytest.raises(UserError, match=r"1 process\(es\) instead of 2"):
        checkpoints.check_same_run(run / "checkpoint-24", about | {"processes": 2})


def test_checkpoint_is_an_adapter_that_knows_its_base(disturbed, run):
    base = load_base(str(disturbed / "model"))
    loaded = add_adapter(base, str(run / "checkpoint-22"))
    assert loaded.run["system_prompt"] == tiny.make_rows(1)[0]["system_prompt"]
