"""The shipped miniature keeps what docs/evaluation.md says of it, on rows, on articles written by hand and on real ones."""

import json
from collections import Counter
from pathlib import Path

import pytest

from newsft.data.rows import load_rows
from newsft.evaluation import faithfulness
from newsft.evaluation.answer import read_answer
from newsft.evaluation.faithfulness import LOW
from newsft.evaluation.results import ANSWERS_FILE, SUMMARY_FILE, read_generations, score_all
from newsft.evaluation.run import evaluate, find_settings, summarise
from newsft.recipe import RECIPES

DATA = Path(__file__).parents[1] / "data"
REAL = Path(__file__).parents[3] / "shared" / "real"


SHIPPED = Path(
    RECIPES["mini"].evaluation
)  # made by `python -m newsft.evaluation`; the table of docs/evaluation.md is of it
HANDWRITTEN = SHIPPED.parent / "handwritten"  # made by `python -m newsft.evaluation --data tests/data/handwritten.json`
ROWS, MARGIN = 64, 0.05  # another machine's kernels round differently and may turn a few answers


@pytest.fixture(scope="module")
def summary():
    return json.loads((SHIPPED / SUMMARY_FILE).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def generated():
    return read_generations(SHIPPED / ANSWERS_FILE)


def choose_short(rows, generated, count: int) -> list[int]:
    """The rows whose articles and answers are the shortest together."""
    tokens = Counter()
    for one in generated:
        tokens[one.row] += one.tokens
    shortest = sorted(tokens, key=lambda row: (len(rows[row]["user_prompt"]) + 2 * tokens[row], row))
    return sorted(shortest[:count])


@pytest.fixture(scope="module")
def chosen(rows, generated):
    return choose_short(rows, generated, ROWS)


@pytest.fixture(scope="module")
def found(engine, rows, chosen, tmp_path_factory):
    return evaluate(engine, [rows[row] for row in chosen], tmp_path_factory.mktemp("found") / "evaluation")


def test_shipped_scores_are_those_of_the_shipped_answers_of_the_shipped_models(engine, rows, summary, generated):
    scored = summarise(score_all(rows, generated))
    assert {name: summary[name] for name in scored} == json.loads(json.dumps(scored))
    made, now = summary["settings"], find_settings(engine, rows[:495])
    assert {**made, "device": None, "dtype": None} == {**now, "device": None, "dtype": None}  # the machine's own


@pytest.mark.parametrize("side", ["base", "tuned"])
def test_shipped_models_answer_as_they_did_in_the_shipped_evaluation(found, rows, generated, chosen, side):
    part = summarise(score_all(rows, [one for one in generated if one.row in chosen]))
    for measure in ("readable", "is_stock_related_accuracy", "stock_f1", "names_company"):
        assert found[side][measure] == pytest.approx(part[side][measure], abs=MARGIN)


def test_tuned_model_reads_and_the_base_model_does_not(found):
    assert found["tuned"]["readable"] > found["base"]["readable"]
    assert found["base"]["readable"] < 0.4


@pytest.fixture(scope="module")
def unseen():
    """The handwritten articles as the evaluation reads them, and their shipped answers."""
    run = json.loads((SHIPPED.parent / "run.json").read_text(encoding="utf-8"))
    rows = [
        {"system_prompt": run["system_prompt"]} | row
        for row in load_rows(str(DATA / "handwritten.json"), measuring=True)
    ]
    return rows, read_generations(HANDWRITTEN / ANSWERS_FILE)


def test_handwritten_articles_are_neither_rows_nor_of_the_choosing_sets(rows, unseen):
    sets = [load_rows(str(DATA / name), measuring=True) for name in ("choosing.json", "choosing2.json")]
    chosen_on = {row["user_prompt"] for chosen in sets for row in chosen}
    articles = {row["user_prompt"] for row in unseen[0]}
    assert len(articles) == 120 and len(chosen_on) == 360
    assert not articles & chosen_on and not articles & {row["user_prompt"] for row in rows}


def test_shipped_scores_of_handwritten_articles_are_those_of_their_shipped_answers(unseen):
    summary = json.loads((HANDWRITTEN / SUMMARY_FILE).read_text(encoding="utf-8"))
    scored = summarise(score_all(*unseen))
    assert {name: summary[name] for name in scored} == json.loads(json.dumps(scored))


def test_handwritten_articles_are_answered_as_they_were(engine, unseen, tmp_path):
    rows, generated = unseen
    chosen = choose_short(rows, generated, 16)
    found = evaluate(engine, [rows[row] for row in chosen], tmp_path / "evaluation")
    part = summarise(score_all(rows, [one for one in generated if one.row in chosen]))
    for measure in ("readable", "is_stock_related_accuracy", "words_in_article"):
        assert found["tuned"][measure] == pytest.approx(part["tuned"][measure], abs=0.13)  # two answers of sixteen


def real() -> list[str]:
    return [
        json.loads(path.read_text(encoding="utf-8"))["messages"][1]["content"]
        for path in sorted(REAL.glob("t*_*.json"))
    ]


def test_real_articles_are_answered_with_their_own_words(engine):
    if not real():
        pytest.skip("the real rows are not here")
    for text in real():
        *_, last = engine.compare(text, system_prompt=engine.loaded.run["system_prompt"])
        share = faithfulness.measure(read_answer(last.answers["tuned"].text), text).share
        assert share is None or share >= LOW, last.answers["tuned"].text
