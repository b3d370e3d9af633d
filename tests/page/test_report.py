import csv
import json

import pytest

from newsft.evaluation import results
from newsft.evaluation.results import Results
from newsft.page import report
from newsft.page.texts import say
from newsft.recipe import RECIPES
from tests.page.html.test_compare import EVIL, LANGUAGES, Page


@pytest.fixture(scope="module")
def few(rows):
    from pathlib import Path

    found = results.load_results(Path(RECIPES["mini"].evaluation), rows[:495])
    return Results(found.summary, found.rows[:6])


def test_csv_holds_every_answer(few, tmp_path):
    path = tmp_path / "rows.csv"
    report.write_csv(few, path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(int(line["row"]), line["side"]) for line in lines] == [
        (row.number, side) for row in few.rows for side in row.answers
    ]
    for line in lines:
        one = few.rows[int(line["row"])].answers[line["side"]]
        assert line["text"] == one.text and float(line["score"]) == pytest.approx(one.compared.score, abs=1e-4)


def test_cell_that_looks_like_a_formula_stays_text():
    assert report._inert("=HYPERLINK(1)") == "'=HYPERLINK(1)" and report._inert("글") == "글"


def test_json_holds_summary_rows_and_verdicts(few, tmp_path):
    path = tmp_path / "all.json"
    report.write_json(few, path)
    held = json.loads(path.read_text(encoding="utf-8"))
    assert held["tuned"] == few.summary["tuned"] and len(held["answers"]) == 6
    assert held["answers"][2]["answers"]["tuned"]["text"] == few.rows[2].answers["tuned"].text
    assert held["answers"][2]["gold"] == few.rows[2].answers["tuned"].gold.values


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_report_stands_alone(few, tmp_path, language):
    path = tmp_path / "report.html"
    report.write_html(few, path, language=language)
    html = path.read_text(encoding="utf-8")
    assert not any(outside in html for outside in ("http://", "https://", "<script", "<link", "@import", "url(http"))
    assert html.count('class="chart"') == 1 and say("report_title", language) in html
    assert all(
        say("row_heading", language, row=row.number, kind=say(f"kind_{row.answers['base'].kind}", language)) in html
        for row in few.rows
    )


def test_markup_in_an_answer_does_not_run_in_the_report(few, tmp_path, rows):
    from newsft.evaluation.metrics import score_text
    from newsft.evaluation.results import Row

    row = Row(
        0, EVIL, {side: score_text(0, rows[0] | {"user_prompt": EVIL}, EVIL, "limit") for side in ("base", "tuned")}
    )
    path = tmp_path / "report.html"
    report.write_html(Results(few.summary, [row]), path, language="ko")
    page = Page(
        path.read_text(encoding="utf-8").split("</body>")[0].split('<div id="answers">')[1].removesuffix("</div>")
    )
    assert EVIL in page.text and not {"script", "img"} & set(page.tags)
