import string
import tomllib
from html.parser import HTMLParser

import pytest

from newsft.errors import UserError
from newsft.evaluation import repair
from newsft.evaluation.answer import (
    KEYS,
    MISSING_KEYS,
    NO_DICT,
    SYNTAX,
    TOO_LONG,
    UNREADABLE,
    WRONG_TYPE,
    Answer,
    read_answer,
)
from newsft.evaluation.fields import compare_fields, differing_keys
from newsft.inference.types import AnswerStream
from newsft.page import texts
from newsft.page.html import compare as views
from newsft.page.html.fields import format_fields
from newsft.page.texts import say, say_error
from newsft.paths import ASSETS

LANGUAGES = ("ko", "en")
ARTICLE = "새빛전자가 공급계약을 맺었다. 한들제약은 리콜에 나섰다."
ANSWER = {
    "is_stock_related": True,
    "negative_impact_stocks": ["한들제약"],
    "negative_keywords": ["리콜"],
    "positive_impact_stocks": ["새빛전자", "없는회사"],
    "positive_keywords": ["공급계약"],
    "reason_for_negative_impact": "",
    "reason_for_positive_impact": "계약을 맺었다.",
    "summary": "계약과 리콜이 있었다.",
}
EVIL = "<script>alert(1)</script><img src=x onerror='alert(2)'>\"&"


class Page(HTMLParser):
    """What a browser makes of the HTML: elements that must be closed, attributes and visible text."""

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag != "br":  # the one element in our HTML that has no end
            self.open.append(tag)
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, text):
        self.text += text


def card(text, *, language="ko", article=ARTICLE, gold=None):
    answer = read_answer(text)
    return format_fields(answer, compare_fields(answer, gold or Answer(), article), language=language, gold=gold)


def side(text, *, language="ko", article=ARTICLE, reason="end_of_turn", tokens=10, seconds=2.0, waiting="waiting"):
    stream = AnswerStream(text, tokens, seconds, reason)
    return views.format_side(
        "tuned", stream, card(text, language=language, article=article), language=language, waiting=waiting
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_item_that_comes_again_is_one_chip_that_says_how_often(language):
    answer = ANSWER | {"negative_keywords": ["리콜", "제약", "리콜", "없는말", "리콜", "없는말"]}
    three, two = (say("repeated", language, count=count) for count in (3, 2))
    for gold in (None, read_answer(str(ANSWER))):
        page = Page(card(str(answer), language=language, gold=gold))
        chips = [value for name, value in page.attributes if name == "title" and value]
        assert [three in one for one in chips].count(True) == 1 == [two in one for one in chips].count(True)
        assert page.text.count("제약") == 2 and page.text.count("없는말") == 1  # 한들제약 is the other
        assert page.text.count(three) == 1 and f"{say('not_in_article', language)}, {two}" in page.text
    assert say("repeated", language, count=2) not in Page(card(str(ANSWER), language=language)).text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text, reason",
    [("", None), ("{'is_", None), (str(ANSWER), "end_of_turn"), (str(ANSWER)[:40], "limit"), ("", "stopped")],
)
def test_column_is_well_formed_at_every_stage(language, text, reason):
    page = Page(side(text, language=language, reason=reason))
    assert say("tuned", language) in page.text
    assert text in page.text


def test_column_before_the_first_token_says_that_it_waits():
    assert say("waiting", "ko") in Page(side("", reason=None)).text
    assert say("queued", "ko") in Page(side("", reason=None, waiting="queued")).text


def test_growing_answer_is_busy_and_has_no_fields_yet():
    growing, finished = Page(side(str(ANSWER), reason=None)), Page(side(str(ANSWER)))
    assert ("aria-busy", "true") in growing.attributes and ("class", "caret") in growing.attributes
    assert "dl" not in growing.tags and say("reading", "ko") in growing.text
    assert ("aria-busy", "false") in finished.attributes and ("class", "caret") not in finished.attributes
    assert "dl" in finished.tags


def test_figures_give_tokens_speed_and_why_it_stopped():
    assert "10토큰 · 2.0초 · 초당 5토큰 · 길이 한도에 닿음" in Page(side("글", reason="limit")).text
    assert "0토큰 · 0.0초 · 초당 0토큰" in Page(side("", reason="stopped", tokens=0, seconds=0.0)).text


@pytest.mark.parametrize(
    "text", [EVIL, str(ANSWER | {"summary": EVIL, "positive_keywords": [EVIL], "negative_impact_stocks": [EVIL]})]
)
@pytest.mark.parametrize("article", [EVIL, ARTICLE], ids=["in_article", "not_in_article"])
def test_markup_in_an_answer_is_shown_and_not_run(text, article):
    page = Page(side(text, article=article))
    assert not {"script", "img"} & set(page.tags)
    assert text in page.text


def test_markup_in_a_key_or_value_of_an_unreadable_answer_is_not_run():
    page = Page(side(str({EVIL: 1, "summary": EVIL})))
    assert not {"script", "img"} & set(page.tags)


@pytest.mark.parametrize("language", LANGUAGES)
def test_complete_answer_shows_all_its_fields(language):
    page = Page(card(str(ANSWER), language=language))
    assert page.tags.count("dt") == page.tags.count("dd") == len(KEYS)
    for shown in (
        "▲ 새빛전자",
        "▼ 한들제약",
        "공급계약",
        "리콜",
        ANSWER["summary"],
        say("related_yes", language),
        say("none", language),
    ):
        assert shown in page.text


def test_name_that_the_article_does_not_contain_is_marked_in_words():
    html = card(str(ANSWER))
    assert Page(html).text.count(say("not_in_article", "ko")) == 1
    assert f"없는회사 ({say('not_in_article', 'ko')})" in Page(html).text


def test_news_about_no_stock_shows_relevance_and_summary_only():
    unrelated = dict.fromkeys(KEYS) | {"is_stock_related": False, "summary": "비가 왔다."}
    page = Page(card(str(unrelated), article="비"))
    assert page.tags.count("dt") == 2
    assert say("related_no", "ko") in page.text and "비가 왔다." in page.text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "text", ["글", "{'a'", "{'a' 1}", "{1}", "{}", str(ANSWER | {"summary": 1}), "{" + " " * 30_000 + "}"]
)
def test_unreadable_answer_says_why_in_the_readers_language(language, text):
    answer = read_answer(text)
    why = say(
        f"problem_{answer.problem}", language, position=(answer.position or 0) + 1, missing=", ".join(answer.missing)
    )
    page = Page(card(text, language=language))
    assert why in page.text
    assert (say("unreadable", language) in page.text) == (answer.reading == UNREADABLE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_repaired_answer_names_every_repair(language):
    text = "```json\n" + str(ANSWER)[:-1] + "\n```"
    answer = read_answer(text)
    assert answer.repairs
    page = Page(card(text, language=language))
    assert say("repaired", language) in page.text
    assert all(say(f"repair_{name}", language) in page.text for name in answer.repairs)


def test_every_repair_and_problem_has_its_words():
    for name in (
        repair.FENCE,
        repair.AROUND,
        repair.JSON,
        repair.QUOTE,
        repair.REPEATED,
        repair.BROKEN_OFF,
        repair.LINE_BREAK,
    ):
        assert say(f"repair_{name}", "ko") != say(f"repair_{name}", "en")
    for name in (NO_DICT, SYNTAX, MISSING_KEYS, WRONG_TYPE, TOO_LONG):
        assert say(f"problem_{name}", "ko") != say(f"problem_{name}", "en")


def test_answer_with_missing_keys_shows_what_was_read_and_names_the_rest():
    page = Page(card("{'is_stock_related': True, 'summary': '요약문'}"))
    assert "요약문" in page.text
    assert page.tags.count("dt") == 2
    assert all(key in page.text for key in KEYS[1:-1])


def test_fields_are_marked_against_the_gold_answer():
    gold = Answer(
        ANSWER
        | {
            "negative_impact_stocks": ["새빛전자"],
            "positive_impact_stocks": ["한들 제약", "새빛전자"],
            "summary": ANSWER["summary"],
        }
    )
    page = Page(card(str(ANSWER), gold=gold))
    for words in (
        "⇄ ▼ 한들제약 (방향이 반대)",
        "＋ ▼ 새빛전자 (빠뜨림)",
        "✓ ▲ 새빛전자",
        "✗ ▲ 없는회사 (정답에 없음, 기사에 없는 말)",
        "＋ ▲ 한들 제약 (빠뜨림)",
        "✓ 정답과 같음",
        say("chrf", "ko", score=100),
    ):
        assert words in page.text, words
    score = compare_fields(read_answer(str(ANSWER)), gold, ARTICLE).score
    assert 0 < score < 1 and say("score_line", "ko", score=score * 100) in page.text


def test_without_gold_nothing_is_called_right_or_wrong():
    page = Page(card(str(ANSWER)))
    assert not any(sign in page.text for sign in "✓✗⇄＋") and "%" not in page.text


def test_differing_fields_are_marked_and_equal_ones_are_not():
    other = read_answer(
        str(ANSWER | {"summary": "다르다.", "positive_keywords": ["공급 계약"], "negative_impact_stocks": []})
    )
    differing = differing_keys(read_answer(str(ANSWER)), other)
    assert differing == {"summary", "negative_impact_stocks"}
    html = format_fields(other, compare_fields(other, Answer(), ARTICLE), language="ko", differing=differing)
    assert Page(html).text.count("≠") == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_gold_card_says_which_row_it_is_of(language):
    page = Page(views.format_gold(Answer(ANSWER), 12, language=language))
    assert say("gold", language) in page.text and "12" in page.text and page.tags.count("dt") == len(KEYS)


def test_footer_tells_the_prompt_size_and_what_was_changed():
    text = Page(views.format_footer(prompt_tokens=321, changes=["nfc", "surrogate", "nul"], language="ko")).text
    assert "321토큰" in text and "NFC" in text and "NUL" in text and "서로게이트" in text


def test_both_languages_say_the_same_things_with_the_same_values():
    def slots(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    held = tomllib.loads((ASSETS / "texts.toml").read_text(encoding="utf-8"))
    assert set(held) == set(texts.LANGUAGES.values())
    assert held["ko"].keys() == held["en"].keys()
    assert {key: slots(text) for key, text in held["ko"].items()} == {
        key: slots(text) for key, text in held["en"].items()
    }


def test_text_under_an_unknown_key_is_a_mistake_of_the_programmer():
    with pytest.raises(KeyError):
        say("no_such_text", "ko")


def test_error_is_said_in_the_readers_language():
    error = UserError("The news has 30,000 characters.", key="news_too_long", count=30_000, limit=20_000)
    assert "30,000자" in say_error(error, "ko") and "20,000" in say_error(error, "en")


def test_error_without_a_translation_is_said_in_its_own_words():
    assert say_error(UserError("odd {thing}"), "ko") == "odd {thing}"
    assert say_error(UserError("odd", key="never_translated", count=1), "en") == "odd"
