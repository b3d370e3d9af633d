import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from newsft.errors import UserError
from newsft.fingerprints import fingerprint_model
from newsft.models.load import load_base
from newsft.recipe import RECIPES, Recipe
from newsft.training.checkpoints import find_checkpoint
from newsft.training.output import LOCK_FILE
from newsft.training.preflight import encode_rows, preflight
from newsft.training.sft import build_trainer
from tests import programs

MINI = RECIPES["mini"]


@pytest.fixture(scope="module")
def few_rows(rows, tmp_path_factory) -> Path:
    """24 short rows: enough for the trainer, quick on two cores."""
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    short = sorted(rows, key=lambda row: len(row["user_prompt"]))[:24]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in short), encoding="utf-8")
    return path


def test_recipe_arithmetic_is_the_lessons():
    assert Recipe().steps(496) == MINI.steps(496) == 372


def test_training_moves_the_adapter_and_leaves_the_base_bitwise(few_rows, rows, tmp_path):
    base = load_base(MINI.model)
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    recipe = Recipe(**(vars(MINI) | {"max_steps": 3, "batch_size": 1, "accumulation": 1}))
    encoded = encode_rows(base, rows[-8:], recipe)
    trainer = build_trainer(base, encoded, recipe, tmp_path, callbacks=[])
    start = {name: value.clone() for name, value in trainer.model.named_parameters() if "lora_" in name}
    trainer.train()
    after = {
        name.replace(".base_layer", "").removeprefix("base_model.model."): value
        for name, value in trainer.model.state_dict().items()
        if "lora_" not in name
    }
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)
    moved = [
        name
        for name, value in trainer.model.named_parameters()
        if "lora_" in name and not torch.equal(value, start[name])
    ]
    assert len(moved) == len(start)


def test_trainer_sees_the_batches_that_we_encoded(rows, tmp_path):
    base, recipe = load_base(MINI.model), MINI
    encoded = encode_rows(base, rows[-6:], recipe)
    trainer = build_trainer(base, encoded, recipe, tmp_path, callbacks=[])
    held = {tuple(one.input_ids): one for one in encoded}
    for batch in trainer.get_train_dataloader():
        for ids, labels, mask in zip(
            batch["input_ids"].tolist(), batch["labels"].tolist(), batch["attention_mask"].tolist(), strict=True
        ):
            length = sum(mask)
            one = held.pop(tuple(ids[:length]))
            assert labels == one.labels + [-100] * (len(ids) - length)
            assert mask == [1] * length + [0] * (len(ids) - length)
    assert not held


def test_preflight_refuses_a_prompt_that_is_no_prefix(rows):
    base = load_base(MINI.model)
    encoded = encode_rows(base, rows[:3], MINI)
    encoded[1].input_ids[5] = encoded[1].input_ids[6]
    report = preflight(base, rows[:3], encoded, MINI)
    assert any("prefix" in failure and "rows 1" in failure for failure in report.failures)
    encoded[2].labels = [-100] * len(encoded[2])
    report = preflight(base, rows[:3], encoded, MINI)
    assert any("no label" in failure and "rows 2" in failure for failure in report.failures)
    report = preflight(base, rows[:3], encoded, MINI, first=495)
    assert any(
        "no label" in failure and "rows 497" in failure for failure in report.failures
    )  # its number in the data set


def test_long_rows_are_shortened_and_reported(rows):
    base = load_base(MINI.model)
    recipe = Recipe(**(vars(MINI) | {"max_length": 700}))
    encoded = encode_rows(base, rows[:60], recipe)
    report = preflight(base, rows[:60], encoded, recipe)
    assert report.longest <= 700
    assert report.shortened and not report.failures
    assert str(report.shortened[0]) in report.report()


def test_rows_that_are_too_long_without_their_news_are_counted_and_named(rows):
    base = load_base(MINI.model)
    with pytest.raises(
        UserError,
        match=r"3 of 3 rows do not fit \(rows 500, 501, 502\)\. The first: row 500 needs .* raise --max-length",
    ):
        encode_rows(base, rows[:3], replace(MINI, max_length=60), first=500)


def test_interrupted_run_says_how_to_go_on_and_completes_when_resumed(few_rows, tmp_path):
    output = tmp_path / "run"
    flags = [
        "--data",
        str(few_rows),
        "--output",
        str(output),
        "--max-steps",
        "8",
        "--save-every",
        "2",
        "--log-every",
        "1",
        "--eval-every",
        "4",
        "--eval-rows",
        "2",
    ]
    with open(os.devnull, "w") as nowhere, (tmp_path / "errors").open("w") as told:
        process = programs.start("train.py", *flags, output=nowhere, errors=told)
    deadline = time.monotonic() + 200
    while find_checkpoint(output) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    finally:
        process.kill()
    errors = (tmp_path / "errors").read_text(encoding="utf-8")
    assert process.returncode == 130
    assert "--resume" in errors and "Traceback" not in errors
    assert not (output / LOCK_FILE).exists() and not (output / "adapter_model.safetensors").exists()
    before = json.loads((find_checkpoint(output) / "run.json").read_text(encoding="utf-8"))["seconds"]
    resumed = programs.run("train.py", *flags, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed at step" in resumed.stdout
    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    assert run["steps"] == 8
    assert before > 0 and run["seconds"] > before  # of both processes
    assert [entry["step"] for entry in run["history"]] == list(range(1, 9))
    assert (output / "loss.png").stat().st_size > 5_000
    assert {0, 4, 8} <= {entry["step"] for entry in run["validation"]}  # and where it resumed
    assert run["validation"][-1]["loss"] != run["validation"][0]["loss"]
    assert run["base_fingerprint"] == fingerprint_model(Path(MINI.model))
    assert run["system_prompt"].startswith("당신은")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--recipe", "varco"], "iamjoon/finance_news_summarizer"),
        (["--model", "NCSOFT/Llama-VARCO-8B-Instruct"], "NCSOFT/Llama-VARCO-8B-Instruct"),
        (["--data", "missing.jsonl"], "missing.jsonl"),
        (["--batch-size", "0"], "--batch-size"),
    ],
)
def test_what_is_not_there_ends_with_one_line_and_code_2(flags, words, tmp_path):
    done = programs.run("train.py", *flags, "--output", tmp_path / "out")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1 and words in errors[0]
    assert "Traceback" not in done.stderr
