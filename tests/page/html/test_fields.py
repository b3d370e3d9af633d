import pytest

from newsft.page.texts import say
from tests.page.html.test_compare import ANSWER, ARTICLE, LANGUAGES, Page, card


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_at_odds_with_itself_is_told(language):
    odd = {
        "negative_impact_stocks": ["㈜새빛전자", "한들제약"],
        "reason_for_negative_impact": "공급계약 을 맺었기 때문입니다.",
    }
    odd["reason_for_positive_impact"] = "공급계약을 맺었기 때문입니다."
    page = Page(card(str(ANSWER | odd), language=language))
    assert say("both_sided", language, names="새빛전자") in page.text and say("same_reasons", language) in page.text
    assert Page(card(str(ANSWER), language=language)).text.count(say("same_reasons", language)) == 0
    hostile = ANSWER | {"negative_impact_stocks": ["<b>"], "positive_impact_stocks": ["<b>", "<b>"]}
    assert say("both_sided", language, names="<b>") in Page(card(str(hostile), language=language)).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentence_behind_a_text_can_be_unfolded_and_a_joined_one_is_told(language):
    texts_given = {
        "reason_for_positive_impact": "새빛전자가 공급계약을 맺었기 때문입니다.",
        "reason_for_negative_impact": "새빛전자가 공급계약을 리콜에 나섰기 때문입니다.",
        "summary": "정부는 예산안을 냈습니다.",
    }
    page = Page(card(str(ANSWER | texts_given), language=language))
    assert page.tags.count("details") == 2 and page.text.count(say("sentence_found", language)) == 2
    assert page.text.count("새빛전자가 공급계약을 맺었다.") == 2
    assert page.text.count(say("sentence_lacks", language, count=2)) == 1
    assert say("sentence_lacking", language, words="리콜에, 나섰기") in page.text
    assert page.text.count(say("sentence_none", language)) == 1
    hostile = Page(card(str(ANSWER | {"summary": "<b>새빛전자</b> 공급계약"}), article=f"<b>{ARTICLE}</b>"))
    assert "b" not in hostile.tags and "script" not in hostile.tags
