import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from newsft.data.rows import split_rows
from newsft.errors import UserError
from newsft.evaluation.__main__ import main
from newsft.evaluation.results import ANSWERS_FILE, read_generations
from newsft.evaluation.run import evaluate, load_data
from newsft.evaluation.table import format_table
from newsft.fingerprints import fingerprint_rows
from newsft.inference.engine import LocalEngine
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from tests import programs
from tests.varco import write_varco_checkpoint

ROOT = Path(__file__).parents[2]
COMMAND = ["-m", "newsft.evaluation"]
OFFLINE = os.environ | {"HF_HUB_OFFLINE": "1"}


def test_command_writes_answers_summary_and_table(tmp_path):
    target, folder = tmp_path / "scores.json", tmp_path / "evaluation"
    command = [sys.executable, *COMMAND, "--limit", "4", "--json", target, "--output", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=OFFLINE)  # as a user
    assert done.returncode == 0, done.stderr
    summary = json.loads(target.read_text(encoding="utf-8"))
    assert summary == json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    for side in ("base", "tuned"):
        assert {"rows", "readable", "is_stock_related_accuracy", "stock_f1"} <= summary[side].keys()
        assert summary[side]["rows"] == 4
    assert summary["settings"]["rows"] == 4 and summary["versions"]["torch"]
    assert (
        format_table(summary) in done.stdout
        and "| data | 4 of the 495 test rows of assets/news.jsonl | | |" in done.stdout
    )
    assert (folder / "table.md").read_text(encoding="utf-8").strip() == format_table(summary)
    again = programs.run(*COMMAND, "--limit", 2, "--output", folder)
    assert again.returncode == 2 and "other settings" in again.stderr


@pytest.fixture(scope="module")
def asked(rows, tmp_path_factory):
    """Three rows without a system prompt, as a JSON array."""
    path = tmp_path_factory.mktemp("asked") / "to measure.json"
    path.write_text(
        json.dumps(
            [{name: row[name] for name in ("user_prompt", "assistant")} for row in rows[:3]], ensure_ascii=False
        ),
        encoding="utf-8",
    )
    return path


def test_rows_without_a_system_prompt_are_all_measured_with_the_adapter_s(asked, rows, tmp_path):
    done = programs.run(*COMMAND, "--data", asked, "--output", tmp_path / "evaluation")
    assert done.returncode == 0, done.stderr
    assert (
        f"| data | 3 of the 3 rows of {asked.name} | | |" in done.stdout
    )  # the table may go into a card that is published
    assert "all 3 rows are measured, with the system prompt that" in done.stderr
    settings = json.loads((tmp_path / "evaluation" / "settings.json").read_text(encoding="utf-8"))
    run = json.loads((Path(RECIPES["mini"].adapter) / "run.json").read_text(encoding="utf-8"))
    assert settings["data_fingerprint"] == fingerprint_rows(
        [row | {"system_prompt": run["system_prompt"]} for row in rows[:3]]
    )


def test_rows_without_a_system_prompt_need_an_adapter_that_says_its_own(asked, tmp_path):
    shutil.copytree(RECIPES["mini"].adapter, tmp_path / "adapter")
    (tmp_path / "adapter" / "run.json").unlink()
    with pytest.raises(
        UserError, match=r"to measure.json has no column system_prompt, and .*adapter has no run.json .* add the column"
    ):
        load_data(replace(RECIPES["mini"], data=str(asked), adapter=str(tmp_path / "adapter")))


def test_training_on_rows_without_a_system_prompt_is_refused_with_the_command_that_measures(asked, tmp_path):
    done = programs.run("train.py", "--data", asked, "--output", tmp_path / "run")
    assert done.returncode == 2 and f"python -m newsft.evaluation --data '{asked}'" in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("flags", [["--limit", "0"], ["--batch-rows", "-1"], ["--max-new-tokens", "0"]])
def test_settings_out_of_their_range_are_refused(flags, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["evaluation", *flags, "--output", str(tmp_path / "evaluation")])
    assert main() == 2 and flags[0] in capsys.readouterr().err
    assert not (tmp_path / "evaluation").exists()


def test_answers_of_a_checkpoint_with_varco_s_quirks_stop_at_the_end_of_the_turn(rows, tmp_path, monkeypatch):
    monkeypatch.setattr("newsft.inference.decoder.MOST_JOINING", 10)
    loaded = load_base(str(write_varco_checkpoint(tmp_path / "varco")))
    engine = LocalEngine(loaded, max_new_tokens=12)
    end_of_turn, calls = loaded.chat.tokenizer.convert_tokens_to_ids("<|eot_id|>"), []

    def end_after_five(head, inputs, logits):
        """A model that has learned to end its turns; a random one would never."""
        calls.append(logits.shape[0])
        logits[..., end_of_turn] = 1e4 if len(calls) > 5 else -1e4

    loaded.model.lm_head.register_forward_hook(end_after_five)
    summary = evaluate(engine, rows[:10], tmp_path / "evaluation")
    assert summary["base"]["stop_reasons"] == {"end_of_turn": 10}
    assert loaded.model.config.eos_token_id == 128_001 and engine.stop_ids[end_of_turn][0] == "template"
    answers = read_generations(tmp_path / "evaluation" / ANSWERS_FILE)
    assert {one.tokens for one in answers} == {4} and calls == [1] + [
        10
    ] * 5  # the system prompt once, then all rows together


def test_killed_command_goes_on_to_the_files_of_an_undisturbed_run(tmp_path, engine, rows):
    count, batch_rows = 12, 4  # killed in its second batch of three
    command = [*COMMAND, "--limit", str(count), "--batch-rows", str(batch_rows), "--max-new-tokens", "48"]
    command += ["--output", tmp_path / "killed"]
    examples = split_rows(rows, test_ratio=0.5).examples
    short = LocalEngine(engine.loaded, max_new_tokens=48, examples=examples, shares=False)
    answers = tmp_path / "killed" / ANSWERS_FILE
    with open(os.devnull, "w") as nowhere:
        running = programs.start(*command, output=nowhere, errors=nowhere)
    while running.poll() is None and not (answers.exists() and answers.stat().st_size):
        time.sleep(0.05)
    assert running.poll() is None, "it ended before it could be killed"
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert len(read_generations(answers)) == 2 * batch_rows
    programs.run(*command, timeout=600).check_returncode()
    evaluate(
        short,
        rows[:count],
        tmp_path / "whole",
        batch_rows=batch_rows,
        data=f"{count} of the 495 test rows of assets/news.jsonl",
    )
    for name in ("settings.json", "answers.jsonl", "summary.json", "table.md"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
