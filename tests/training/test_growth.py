import json
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import train
from newsft.models.growth import GROWTH, find_steps
from newsft.training.output import claimed
from tests import tiny

STEPS = ("0", "2", "5", "8")  # the last of them is the adapter's own


def run(monkeypatch, folder: Path, output: str, *more: str) -> Path:
    """A training of eight steps, with a checkpoint every second one."""
    flags = tiny.flags(folder / "model", folder / "rows.jsonl", folder / output, steps=8)
    monkeypatch.setattr(sys, "argv", ["train.py", *flags, *more])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train.main.__wrapped__()
    finally:
        torch.set_num_threads(threads)
    return folder / output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("growth")
    tiny.write_model(folder / "model")
    tiny.write_rows(folder / "rows.jsonl", tiny.make_rows(16))
    return folder


def test_chosen_steps_are_kept_and_change_nothing_else(monkeypatch, folder):
    kept = run(monkeypatch, folder, "kept", "--keep-steps", *STEPS)
    none = run(monkeypatch, folder, "none", "--keep-steps")
    assert list(find_steps(kept)) == [0, 2, 5] and not (none / GROWTH).exists()
    weights = "adapter_model.safetensors"
    assert (kept / weights).read_bytes() == (none / weights).read_bytes()
    steps = {step: load_file(path) for step, path in find_steps(kept).items()}
    assert not any(value.any() for name, value in steps[0].items() if "lora_B" in name)
    checkpoint = load_file(kept / "checkpoint-6" / weights)
    assert steps[5].keys() == checkpoint.keys()
    assert any(value.any() for name, value in steps[5].items() if "lora_B" in name)


def test_kept_step_is_the_checkpoint_of_that_step(monkeypatch, folder):
    kept = run(monkeypatch, folder, "same", "--keep-steps", "6")
    checkpoint = load_file(kept / "checkpoint-6" / "adapter_model.safetensors")
    found = load_file(find_steps(kept)[6])
    assert all(torch.equal(value, checkpoint[name].half()) for name, value in found.items())


def test_record_has_gradient_norm_and_tokens_of_every_logged_step(monkeypatch, folder):
    record = json.loads((run(monkeypatch, folder, "record") / "run.json").read_text(encoding="utf-8"))
    assert [set(one) for one in record["history"]] == [{"step", "loss", "learning_rate", "grad_norm", "tokens"}] * 8
    tokens = [one["tokens"] for one in record["history"]]
    assert tokens == sorted(tokens) and tokens[0] > 0
    assert all(one["grad_norm"] > 0 for one in record["history"])


def test_run_that_was_killed_before_its_first_checkpoint_is_moved_aside(tmp_path):
    output = tmp_path / "run"
    (output / GROWTH).mkdir(parents=True)
    with claimed(output, resume=False):
        assert (tmp_path / "run.1" / GROWTH).is_dir()
