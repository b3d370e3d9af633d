"""Every benchmark says what it measures without measuring it, and has a short form."""

import importlib
from pathlib import Path

import pytest

from benchmarks.flags import Flags

FOLDER = Path(__file__).parents[1] / "benchmarks"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if "__main__" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_help_is_answered_without_running(name, monkeypatch, capsys):
    program = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        program.main()
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"python -m benchmarks.{name}" in shown and "--short" in shown


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {"short": False, "runs": 7, "rows": 7}),
        (["--short", "--rows", "5"], {"short": True, "runs": 1, "rows": 5}),
    ],
)
def test_short_form_takes_small_values_for_flags_that_are_not_given(given, expected):
    parser = Flags("about", runs=1, rows=2)
    for flag in ("--runs", "--rows"):
        parser.add_argument(flag, type=int, default=7)
    assert vars(parser.parse_args(given)) == expected


def test_there_are_benchmarks():
    assert len(PROGRAMS) > 10
