from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from newsft.evaluation.answer import KEYS
from newsft.evaluation.metrics import MEASURES, score_text
from newsft.evaluation.results import Row, load_results
from newsft.page.html import evaluation as views
from newsft.page.html.scores import KINDS, SHOWN, draw_kinds, draw_scores
from newsft.page.texts import say
from newsft.recipe import RECIPES
from tests.page.html.test_compare import ANSWER, ARTICLE, EVIL, LANGUAGES, Page

NOTHING = "–"  # what stands where there is nothing to measure


@pytest.fixture(scope="module")
def results(rows):
    return load_results(Path(RECIPES["mini"].evaluation), rows[:495])


@pytest.mark.parametrize("language", LANGUAGES)
def test_picture_shows_every_score_in_words_and_figures(results, language):
    svg = draw_scores(results.summary, language=language)
    page = Page(svg)
    assert page.tags.count("svg") == 2 and "script" not in page.tags  # for wide and for narrow screens
    (alternative,) = [value for name, value in page.attributes if name == "aria-label"]
    for name in SHOWN:
        assert say(f"measure_{name}", language) in page.text and say(f"measure_{name}", language) in alternative
        for side in ("base", "tuned"):
            value = results.summary[side][name]
            assert (NOTHING if value is None else f"{value * 100:.1f}") in page.text
    assert "currentColor" in svg and "var(--tuned" in svg and "#0102" not in svg


def test_pictures_drawn_at_once_are_those_drawn_alone(results):
    alone = draw_scores(results.summary, language="ko")
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(lambda _: draw_scores(results.summary, language="ko"), range(6))) == {alone}


def test_row_without_a_gold_answer_is_shown_unscored(rows):
    source = rows[12] | {"assistant": "호재입니다."}
    row = Row(
        12, source["user_prompt"], {side: score_text(12, source, "{}", "end_of_turn") for side in ("base", "tuned")}
    )
    for language in ("ko", "en"):
        shown = views.format_row(row, language=language)
        assert say("gold_unread", language) in shown and say("kind_unscored", language) in shown
        assert views.list_rows([row], language=language)[0][3:6] == [None] * 3
    assert row.gain == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_picture_of_kinds_gives_their_numbers_of_articles(results, language):
    text = Page(draw_kinds(results.summary, "stock_f1", language=language)).text
    for kind in KINDS[:3]:
        assert f"{say(f'kind_{kind}', language)} ({results.summary['tuned']['kinds'][kind]['rows']})" in text
    scored = all(results.summary[side]["kinds"]["unrelated"]["stock_f1"] is not None for side in ("base", "tuned"))
    assert (say("kind_unrelated", language) in text) == scored  # no stock named and none in the gold: no F1


def test_picture_of_one_side_alone_is_drawn(results):
    alone = {side: held for side, held in results.summary.items() if side not in ("tuned", "difference")}
    assert say("base", "ko") in Page(draw_scores(alone, language="ko")).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_table_has_every_measure_with_intervals_and_difference(results, language):
    page = Page(views.format_scores(results.summary, tuple(MEASURES), language=language))
    for name in MEASURES:
        assert say(f"measure_{name}", language) in page.text and say(f"about_{name}", language) in page.text
        assert f"{results.summary['tuned'][name] * 100:.1f} %" in page.text
        difference = results.summary["difference"][name]  # none where one model has no answer to measure
        assert (NOTHING if difference is None else f"{difference['difference'] * 100:+.1f} %") in page.text
    assert page.tags.count("tr") == len(MEASURES) + len(KEYS) + 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_origin_gives_date_versions_and_warns_of_another_adapter(results, language):
    fits = views.format_origin(results.summary, language=language)
    assert results.summary["date"] in fits and results.summary["versions"]["torch"] in fits and "alert" not in fits
    assert say("evaluation_of_another", language) in views.format_origin(results.summary, language=language, fits=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_list_has_a_line_per_row(results, language):
    lines = views.list_rows(results.rows, language=language)
    assert [line[0] for line in lines] == [row.number for row in results.rows]
    for line, row in zip(lines, results.rows, strict=True):
        scores = [round(row.answers[side].compared.score * 100) for side in ("base", "tuned")]
        assert line[3:6] == [*scores, scores[1] - scores[0]]  # what stands side by side adds up


@pytest.mark.parametrize("language", LANGUAGES)
def test_evaluation_of_the_base_alone_keeps_the_columns(results, language):
    alone = [replace(row, answers={"base": row.answers["base"]}) for row in results.rows[:30]]
    for row, both, base in zip(
        alone,
        views.list_rows(results.rows[:30], language=language),
        views.list_rows(alone, language=language),
        strict=True,
    ):
        assert base[:4] == both[:4] and base[4:6] == [None, None] and base[6]
        assert row.passes("all") and not row.passes("tuned_wins") and not row.passes("base_wins")
        assert row.passes("unreadable") is not row.answers["base"].answer.readable
        assert views.format_row(row, language=language).count('class="side') == 1 + 1  # its answer and gold


@pytest.mark.parametrize("language", LANGUAGES)
def test_opened_row_shows_article_both_answers_and_gold(results, language):
    row = results.rows[12]
    page = Page(views.format_row(row, language=language))
    for shown in (
        row.article,
        row.answers["base"].text,
        row.answers["tuned"].text,
        say("gold", language),
        row.answers["base"].gold.values["summary"],
    ):
        assert shown in page.text


def test_markup_in_a_row_is_shown_and_not_run(rows):
    text = str(ANSWER | {"summary": EVIL, "positive_impact_stocks": [EVIL]})
    source = rows[0] | {"user_prompt": ARTICLE + EVIL}
    row = Row(0, ARTICLE + EVIL, {side: score_text(0, source, text, "end_of_turn") for side in ("base", "tuned")})
    page = Page(views.format_row(row, language="ko"))
    assert EVIL in page.text and not {"script", "img"} & set(page.tags)
