"""The shipped miniature keeps what docs/evaluation.md says of it, on rows, on articles written by hand and on real ones."""

import json
from pathlib import Path

import pytest

from newsft.evaluation.answer import read_answer
from newsft.evaluation.fields import is_grounded, stocks_of
from newsft.evaluation.results import ANSWERS_FILE, SUMMARY_FILE, read_generations, score_all
from newsft.evaluation.run import describe, evaluate, summarise
from newsft.recipe import RECIPES

DATA = Path(__file__).parents[1] / "data"
REAL = Path(__file__).parents[3] / "shared" / "real"


SHIPPED = Path(RECIPES["mini"].evaluation)  # made by `python -m newsft.evaluation`; the table of docs/evaluation.md is of it
ROWS, MARGIN = 64, 0.05  # another machine's kernels round differently and may turn a few answers


@pytest.fixture(scope="module")
def summary():
    return json.loads((SHIPPED / SUMMARY_FILE).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def generated():
    return read_generations(SHIPPED / ANSWERS_FILE)


@pytest.fixture(scope="module")
def found(engine, rows, tmp_path_factory):
    return evaluate(engine, rows[:ROWS], tmp_path_factory.mktemp("found") / "evaluation")


def test_shipped_scores_are_those_of_the_shipped_answers_of_the_shipped_models(engine, rows, summary, generated):
    scored = summarise(score_all(rows, generated))
    assert {name: summary[name] for name in scored} == json.loads(json.dumps(scored))
    made, now = summary["settings"], describe(engine, rows[:495])
    assert {**made, "device": None, "dtype": None} == {**now, "device": None, "dtype": None}  # the machine's own


@pytest.mark.parametrize("side", ["base", "tuned"])
def test_shipped_models_answer_as_they_did_in_the_shipped_evaluation(found, rows, generated, side):
    part = summarise(score_all(rows, [one for one in generated if one.row < ROWS]))
    for measure in ("readable", "is_stock_related_accuracy", "stock_f1", "names_company"):
        assert found[side][measure] == pytest.approx(part[side][measure], abs=MARGIN)


def test_tuned_model_reads_and_the_base_model_does_not(found):
    assert found["tuned"]["readable"] > found["base"]["readable"]
    assert found["base"]["readable"] < 0.4


def handwritten() -> list[str]:
    return [article["text"] for article in json.loads((DATA / "handwritten.json").read_text(encoding="utf-8"))]


def real() -> list[str]:
    return [json.loads(path.read_text(encoding="utf-8"))["messages"][1]["content"] for path in sorted(REAL.glob("t*_*.json"))]


@pytest.mark.parametrize("articles", [pytest.param(handwritten(), id="handwritten"), pytest.param(real(), id="real")])
def test_articles_that_no_generator_wrote_get_readable_grounded_answers(engine, articles):
    if not articles:
        pytest.skip("the real rows are not here")
    named, grounded = 0, 0
    for text in articles:
        *_, last = engine.compare(text, system_prompt=engine.loaded.run["system_prompt"])
        answer = read_answer(last.answers["tuned"].text)
        assert answer.readable, (text[:60], last.answers["tuned"].text)
        stocks = stocks_of(answer)
        named += len(stocks)
        grounded += sum(is_grounded(name, text) for _, name in stocks)
    assert grounded >= 0.8 * named
