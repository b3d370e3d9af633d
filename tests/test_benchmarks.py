"""Every benchmark says what it measures without measuring it, and has a short form."""

import importlib
import json
from pathlib import Path

import pytest

from benchmarks import forms, gpu
from benchmarks.flags import Flags

REAL = sorted((Path(__file__).parents[2] / "shared" / "real").glob("t*_*.json"))
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


class Parsed(Exception):
    pass


@pytest.mark.parametrize("short", [False, True])
def test_every_part_of_the_gpu_script_takes_its_flags_and_all_fit_into_nine_minutes(monkeypatch, short):
    def parse(parser):
        raise Parsed(parse_args(parser))

    parse_args = Flags.parse_args
    monkeypatch.setattr(Flags, "parse_args", parse)
    parts = gpu.list_parts(Path("work/gpu/checkpoint"), short=short)
    assert {part.name for part in parts} == {"checkpoint", "equivalence", "training", "answers", "longest", "four_bits"}
    assert sum(part.seconds for part in parts) <= gpu.TOTAL == 9 * 60
    for part in parts:
        monkeypatch.setattr("sys.argv", [part.module, *part.flags.split()])
        with pytest.raises(Parsed):
            importlib.import_module(part.module).main()


def test_gpu_script_writes_each_part_as_it_ends_and_cuts_off_what_takes_too_long(tmp_path, monkeypatch):
    (tmp_path / "speaks.py").write_text(
        "import sys, time\n"
        "print('some', 'words')\n"
        "print('{\"so_far\": 1}')\n"
        "if 'hang' in sys.argv: time.sleep(60)\n"
        "if 'fail' in sys.argv: raise SystemExit('no memory left')\n"
        "print('{\"figure\": 2}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    parts = [
        gpu.Part("good", 60, "speaks", ""),
        gpu.Part("hanging", 2, "speaks", "hang"),
        gpu.Part("failing", 60, "speaks", "fail"),
        gpu.Part("lacking", 60, "speaks", "", needs="no_such_package"),
    ]
    found = gpu.run_all(parts, tmp_path / "out")
    written = (tmp_path / "out" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in written] == found
    good, hanging, failing, lacking = found
    assert (good["ended"], good["figures"]) == (gpu.DONE, {"figure": 2})
    assert (hanging["ended"], hanging["figures"]) == (gpu.CUT, [{"so_far": 1}]) and hanging["seconds"] < 20
    assert failing["ended"] == gpu.FAILED and failing["said"][-1] == "no memory left"
    assert (lacking["ended"], lacking["needs"]) == (gpu.MISSING, "no_such_package")
    (late,) = gpu.run_all(parts[:1], tmp_path / "late", total=0)
    assert late == {"part": "good", "ended": gpu.NO_TIME}


NEWS = (
    "[속보] 새벽제강, 전기로 '멈춤'\n(서울=노을뉴스) 새벽제강(012345)이 3일 전기로를 세웠다.\n\n"
    "소장은 “재고가 3,500톤, 더는 못 버틴다”고 했다. 새벽제강은 철근값이 내려 넉 달째 적자다. 노을제강은 새벽제강의 주문을 넘겨받는다."
)
ANSWER = {
    "is_stock_related": True,
    "negative_impact_stocks": ["새벽제강"],
    "negative_keywords": ["재고가 3,500톤", "철근값"],
    "positive_impact_stocks": ["노을제강"],
    "positive_keywords": ["주문"],
    "reason_for_negative_impact": "철근값이 내려 넉 달째 적자이기 때문입니다.",
    "reason_for_positive_impact": "새벽제강의 주문을 넘겨받기 때문입니다.",
    "summary": "새벽제강이 3일 전기로를 세웠습니다.",
}


def test_a_crawled_article_loses_its_signs_and_keeps_what_its_answer_copies():
    news, answer = forms.as_crawled(NEWS, ANSWER)
    assert news == (
        "속보 새벽제강 전기로 멈춤\n서울=노을뉴스 새벽제강 012345 이 3일 전기로를 세웠다. 소장은 재고가 3 500톤 더는 못 버틴다 고 했다. "
        "새벽제강은 철근값이 내려 넉 달째 적자다. 노을제강은 새벽제강의 주문을 넘겨받는다."
    )
    assert answer == ANSWER | {"negative_keywords": ["재고가 3 500톤", "철근값"]}


def test_a_sentence_names_its_company_and_none_of_the_other_side():
    [(news, answer)] = forms.cut_to_sentences(NEWS, ANSWER)
    assert news == "새벽제강은 철근값이 내려 넉 달째 적자다."
    assert answer == ANSWER | {
        "negative_keywords": ["철근값"],
        "positive_impact_stocks": [],
        "positive_keywords": [],
        "reason_for_positive_impact": "",
        "summary": ANSWER["reason_for_negative_impact"],
    }


@pytest.mark.skipif(not REAL, reason="the two published rows are not here")
def test_the_published_rows_have_the_crawled_form():
    for path in REAL:
        news = json.loads(path.read_text(encoding="utf-8"))["messages"][1]["content"]
        assert forms.as_crawled(news, {})[0] == news
