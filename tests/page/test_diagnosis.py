import re
from dataclasses import replace
from pathlib import Path

import pytest

import app
from newsft.data.rows import split_rows
from newsft.inference.engine import LocalEngine
from newsft.page import diagnosis
from newsft.recipe import RECIPES


@pytest.fixture(scope="module")
def split(rows):
    return split_rows(rows, test_ratio=0.5)


@pytest.fixture(scope="module")
def brief(engine):
    return LocalEngine(engine.loaded, max_new_tokens=8, shares=False)


def test_check_prints_what_an_issue_needs_and_ends(brief, split, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["app.py", "--check"])
    monkeypatch.setattr(app, "load", lambda arguments: app.Setup(RECIPES["mini"], brief, ("a", "b"), split))
    assert app.main() == 0
    said = {line[:18].rstrip(): line[19:] for line in capsys.readouterr().out.splitlines()}
    assert re.search(r"torch \d.*gradio \d", said["packages"])
    assert re.search(r"\d cores", said["processor"]) and re.search(r"\d GB are free", said["memory"])
    assert (
        brief.loaded.fingerprint in said["base"]
        and brief.loaded.adapter_fingerprint in said["adapter"]
        and split.fingerprint in said["data"]
    )
    assert all(
        re.search(r"\d GB are free", said[place])
        for place in ("hub cache", "tokenizer cache", "page files", "temporary files")
    )
    assert said["  tuned"].startswith("8 tokens") and "no alarm" in said["  receipt"]


def test_home_directory_is_not_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert diagnosis._without_home(Path(tmp_path) / "a" / "b") == "~/a/b"
    assert diagnosis._without_home(Path("/elsewhere")) == "/elsewhere"


def test_failing_comparison_is_said_and_ends_with_1(brief, split, monkeypatch, capsys):
    def fail(*_):
        raise MemoryError("injected")

    monkeypatch.setattr("sys.argv", ["app.py", "--check"])
    monkeypatch.setattr(app, "load", lambda arguments: app.Setup(RECIPES["mini"], brief, ("a", "b"), split))
    handle = brief.loaded.model.get_base_model().register_forward_pre_hook(fail)
    try:
        assert app.main() == 1
    finally:
        handle.remove()
    assert "FAILED: The model failed while answering: injected" in capsys.readouterr().out


def test_alarm_of_the_receipt_fails_the_check(brief, split):
    info = replace(brief.adapters[0], run=brief.models.run | {"base_fingerprint": "another"})
    other = LocalEngine(replace(brief.loaded, adapters=(info,)), max_new_tokens=8)
    lines, fine = diagnosis.try_comparison(other, split.test[0])
    assert not fine and "ALARM: other_base" in dict(lines)["  receipt"]
