import json
import shutil
from pathlib import Path

import gradio as gr
import pytest

from newsft.errors import UserError
from newsft.evaluation.results import FILTERS, load_results, read_generations
from newsft.page import report
from newsft.page.tabs.evaluation import EXPORTS, EvaluationHandlers
from newsft.recipe import RECIPES

SHIPPED = Path(RECIPES["mini"].evaluation)


@pytest.fixture(scope="module")
def half(rows):
    return rows[:495]


@pytest.fixture(scope="module")
def results(half):
    return load_results(SHIPPED, half)


@pytest.fixture
def copied(tmp_path):
    return Path(shutil.copytree(SHIPPED, tmp_path / "evaluation"))


def test_every_row_has_both_scored_answers(results, half):
    assert [row.number for row in results.rows] == list(range(len(half)))
    for row, source in zip(results.rows, half, strict=True):
        assert row.article == source["user_prompt"] and list(row.answers) == ["base", "tuned"]
        assert all(0 <= one.compared.score <= 1 for one in row.answers.values())


def test_filters_split_the_rows(results):
    found = {chosen: {row.number for row in results.filtered(chosen)} for chosen in FILTERS}
    assert found["all"] == set(range(len(results.rows)))
    assert not found["tuned_wins"] & found["base_wins"]
    ties = {row.number for row in results.rows if row.gain == 0}
    assert found["tuned_wins"] | found["base_wins"] | ties == found["all"]
    assert len(found["unreadable"]) == len(results.rows) - round(
        results.summary["tuned"]["readable"] * len(results.rows)
    )


def test_missing_evaluation_says_how_to_make_it(half, tmp_path):
    with pytest.raises(UserError, match="--output") as caught:
        load_results(tmp_path, half)
    assert caught.value.key == "no_evaluation"


@pytest.mark.parametrize("damage", ["summary", "answers", "fewer", "settings"])
def test_damaged_evaluation_is_refused(copied, half, damage):
    if damage == "summary":
        (copied / "summary.json").write_text("{")
    elif damage == "answers":
        (copied / "answers.jsonl").write_text('{"row": 0}\n')
    elif damage == "fewer":
        lines = (copied / "answers.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        (copied / "answers.jsonl").write_text(
            "".join(line for line in lines if json.loads(line)["row"] != 7), encoding="utf-8"
        )
    else:
        (copied / "summary.json").write_text("{}")
    with pytest.raises(UserError, match="again"):
        load_results(copied, half)


def test_evaluation_of_a_version_that_measured_less_is_scored_again(copied, half):
    path = copied / "summary.json"
    whole = load_results(copied, half).summary
    told = json.loads(path.read_text(encoding="utf-8"))
    for side in ("base", "tuned"):
        del told[side]["loops"], told[side]["intervals"]["loops"]
    del told["difference"]["loops"]
    path.write_text(json.dumps(told), encoding="utf-8")
    assert load_results(copied, half).summary == whole


def test_text_with_a_line_separator_of_unicode_is_one_answer(tmp_path):
    told = {"row": 0, "side": "base", "text": "첫 줄\u2028둘째 줄\u0085", "tokens": 3, "reason": "limit"}
    path = tmp_path / "answers.jsonl"
    path.write_text(json.dumps(told, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [vars(one) for one in read_generations(path)] == [told]


def test_evaluation_of_other_rows_is_refused(copied, half):
    with pytest.raises(UserError, match="other rows") as caught:
        load_results(copied, half[1:])
    assert caught.value.key == "other_evaluation"


def test_exports_follow_the_language_once_the_tab_was_opened(engine, half):
    handlers = EvaluationHandlers(engine, half, SHIPPED)
    assert handlers.export_again("en") == [gr.skip()] * len(EXPORTS)
    handlers.show("ko", FILTERS[0])
    assert [Path(path).name for path in handlers.export_again("en")] == [
        f"newsft-evaluation-en.{kind}" for kind in EXPORTS
    ]


def test_export_that_fails_leaves_no_half_of_a_file(engine, half, monkeypatch):
    handlers = EvaluationHandlers(engine, half, SHIPPED)

    def fill_the_disk(results, path):
        path.write_text("half", encoding="utf-8")
        raise OSError("No space left on device")

    with monkeypatch.context() as full:
        full.setattr(report, "write_csv", fill_the_disk)
        with pytest.raises(OSError, match="No space"):
            handlers.export("csv", "ko")
    assert len(Path(handlers.export("csv", "ko")).read_text(encoding="utf-8").splitlines()) > len(handlers.results.rows)
