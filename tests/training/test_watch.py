"""A run that is watched: what its journal holds is what was trained, and an order ends it at a step."""

import json
import sys
from argparse import Namespace

import pytest
import torch

import train
from newsft.errors import UserError
from newsft.lessons import faults
from newsft.training.journal import Journal, read_journal, read_rows
from newsft.training.trainer import Trainer
from newsft.training.watch import Stopped, Watch
from tests import tiny


@pytest.fixture(scope="module")
def tiny_flags(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    model, rows = tiny.write_model(folder / "model"), tiny.write_rows(folder / "rows.jsonl", tiny.make_rows(20))

    def make(output, *more: str) -> list[str]:
        return ["train.py", *tiny.flags(model, rows, output, steps=4), *more]

    return make


@pytest.fixture
def arguments(tiny_flags, tmp_path, monkeypatch):
    def parse(*more: str) -> Namespace:
        monkeypatch.setattr(sys, "argv", tiny_flags(tmp_path / "out", *more))
        return train.parse_flags()

    return parse


def test_journal_has_the_first_batch_as_the_model_gets_it_and_every_step(arguments, tmp_path, monkeypatch):
    given = []
    compute = Trainer.compute_loss

    def compute_loss(self, model, inputs, *args, **named):
        given.append({name: value.clone() for name, value in inputs.items()})
        return compute(self, model, inputs, *args, **named)

    monkeypatch.setattr(Trainer, "compute_loss", compute_loss)
    watch = Watch(tmp_path / "journal.jsonl")
    train.train(arguments("--eval-rows", "0"), watch)
    events = read_journal(tmp_path / "journal.jsonl")
    assert [one["event"] for one in events] == ["checked", "batch", "begin", *["step"] * 4, "done"]
    rows = read_rows(events[1])
    for name in ("input_ids", "labels", "attention_mask"):
        assert torch.equal(given[0][name], torch.tensor([getattr(row, name) for row in rows]))
    assert all(len(row.spans) == len(row) for row in rows)
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    assert [one["loss"] for one in events[3:7]] == [one["loss"] for one in run["history"]]
    assert events[-1]["moved"] is True and "faults" not in run


def test_order_ends_the_run_at_a_step_with_a_checkpoint(arguments, tmp_path):
    watch = Watch(tmp_path / "journal.jsonl")
    watch.asked.set()
    with pytest.raises(Stopped), watch.reporting():
        train.train(arguments("--eval-rows", "0", "--save-every", "50"), watch)
    assert read_journal(tmp_path / "journal.jsonl")[-1] == {"event": "stopped", "step": 1}
    assert [path.name for path in (tmp_path / "out").iterdir() if "checkpoint" in path.name] == ["checkpoint-1"]
    assert not (tmp_path / "out" / "adapter_model.safetensors").exists()


def test_other_mistakes_than_the_checkpoints_are_refused_on_resume(arguments, tmp_path):
    train.train(arguments("--eval-rows", "0", "--fault", "unmasked"))
    assert json.loads((tmp_path / "out" / "run.json").read_text())["faults"] == ["unmasked"]
    with pytest.raises(UserError, match="--fault unmasked instead of none"):
        train.train(arguments("--eval-rows", "0", "--resume"))


@pytest.mark.parametrize(
    ("names", "pushed", "said"),
    [(["no_such"], False, "takes header_spaces"), (["unmasked"], True, "not published")],
)
def test_wrong_mistakes_are_refused(names, pushed, said):
    with pytest.raises(UserError, match=said):
        train.choose_mistake(names, pushed=pushed)


def test_every_trainable_mistake_is_one_of_the_lab(chat):
    messages = [
        {"role": "system", "content": "답하라."},
        {"role": "user", "content": "기사"},
        {"role": "assistant", "content": "답"},
    ]
    right = chat.encode_row(messages)
    for name in faults.TRAINABLE:
        broken = faults.break_training_row(chat, messages, names=[name])
        if name not in ("unprotected", "pasted"):  # these two need each other
            assert (broken.input_ids, broken.labels) != (right.input_ids, right.labels), name


def test_line_that_is_not_whole_is_passed_over(tmp_path):
    path = tmp_path / "journal.jsonl"
    assert read_journal(path) == []
    Journal(path).write("begin", step=0)
    with path.open("a") as file:
        file.write('{"event": "st')
    assert read_journal(path) == [{"event": "begin", "step": 0}]
