import pytest

from newsft.evaluation.answer import Answer, read_answer
from newsft.evaluation.fields import compare_fields
from newsft.inference.types import AnswerStream
from newsft.page.html.growth import StepAnswer, find_first, format_curve, format_pair, format_strip
from newsft.page.plots import X, plot_growth
from newsft.page.texts import LANGUAGES, say
from tests.page.html.test_compare import ANSWER, ARTICLE, EVIL, Page

both_languages = pytest.mark.parametrize("language", LANGUAGES.values())
TEXT = str(ANSWER)
WRONG = str(ANSWER | {"positive_impact_stocks": [], "negative_impact_stocks": ["새빛전자"]})


def step(number, text, *, gold=None, reason="end_of_turn"):
    answer = read_answer(text) if reason else Answer()
    compared = compare_fields(answer, gold or Answer(), ARTICLE)
    return StepAnswer(number, AnswerStream(text, 7, 1.0, reason), answer, compared, gold)


def growth(gold):
    texts = {None: "글", 0: "글", 10: f"답: {TEXT}", 25: WRONG, 50: TEXT}
    return [step(number, text, gold=gold) for number, text in texts.items()]


@both_languages
def test_strip_says_from_which_step_on_the_answer_is_right(language):
    page = Page(format_strip(growth(Answer(ANSWER)), language=language))
    assert say("growth_from", language, step=25) in page.text  # a dict with all keys
    assert say("growth_from", language, step=50) in page.text  # the companies
    assert page.tags.count("tr") == 1 + 5 and ("aria-busy", "false") in page.attributes
    for text in (
        say("growth_dict_repaired", language),
        "✓ 8 / 8",
        "✗ 0 / 8",
        say("growth_companies_counts", language, right=0, wrong=1, missed=3),
        say("growth_companies_counts", language, right=3, wrong=0, missed=0),
    ):
        assert text in page.text, text


def test_step_counts_only_where_all_later_ones_hold_too():
    answers = [step(None, TEXT), step(0, TEXT), step(10, "글"), step(25, TEXT), step(50, TEXT)]
    assert find_first(answers, lambda one: one.is_dict) == 25
    assert find_first([*answers, step(60, "글")], lambda one: one.is_dict) is None


@both_languages
def test_without_gold_no_company_is_called_right_or_wrong(language):
    page = Page(format_strip(growth(None), language=language))
    assert say("growth_when_companies", language) not in page.text
    assert say("growth_named", language, named=3, held=2) in page.text


@both_languages
def test_growing_strip_says_so_and_reads_nothing_yet(language):
    page = Page(format_strip([step(None, TEXT), step(0, "{", reason=None)], language=language))
    assert say("growth_running", language) in page.text and page.text.count("…") == 4
    assert ("aria-busy", "true") in page.attributes


@both_languages
def test_step_stands_beside_the_base_with_its_fields(language):
    page = Page(format_pair(step(None, EVIL), step(25, TEXT), language=language))
    assert say("growth_note", language, step=25) in page.text and EVIL in page.text
    assert not {"script", "img"} & set(page.tags)


@both_languages
def test_curve_is_told_in_numbers_and_drawn(language):
    score = {"readable": 0.5, "stock_f1": None, "intervals": {"readable": [0.4, 0.6], "stock_f1": None}}
    curve = {
        "settings": {"rows": 6},
        "date": "2026-11-29",
        "base": score,
        "points": [{"step": 0} | score, {"step": 372} | score],
    }
    page = Page(format_curve(curve, ("readable", "stock_f1"), fits=False, language=language))
    assert page.text.count("50.0 %") == 3 and page.text.count("(40–60)") == 3
    assert say("curve_of_another", language) in page.text
    evil = format_curve(curve | {"date": EVIL}, ("readable",), fits=True, language=language)
    assert not {"script", "img"} & set(Page(evil).tags)
    frame = plot_growth(curve["points"], ("readable", "stock_f1"), language=language)["value"]
    assert list(frame[X]) == [0, 372]  # what was not measured is no point
