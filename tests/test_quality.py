"""The shipped miniature keeps what the README says of it, on rows, on articles written by hand and on real ones."""

import json
from pathlib import Path

import pytest

from newsft import answers, evaluation
from newsft.answers import read_answer

DATA = Path(__file__).parent / "data"
REAL = Path(__file__).parents[2] / "shared" / "real"


@pytest.fixture(scope="module")
def scores(engine, rows):
    return evaluation.evaluate(engine, rows[:64])[0]


def test_tuned_model_reads_and_the_base_model_does_not(scores):
    assert scores["tuned"]["readable"] >= 0.95
    assert scores["base"]["readable"] < 0.4


def test_tuned_model_judges_relevance_and_names_unseen_companies(scores):
    assert scores["tuned"]["is_stock_related_accuracy"] >= 0.9
    assert scores["tuned"]["stock_f1"] >= 0.8


def test_base_model_is_a_model_and_names_companies_of_the_article(scores):
    assert scores["base"]["names_company"] >= 0.5


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
        named += len(answer.stocks())
        grounded += sum(answers.is_grounded(name, text) for _, name in answer.stocks())
    assert grounded >= 0.8 * named
