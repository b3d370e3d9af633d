import pytest

from newsft.evaluation.answer import Answer
from newsft.evaluation.faithfulness import content_words, loops, measure

ARTICLE = "도라제강이 3일부터 포항 2공장의 전기로 1기를 세웠다. 철근 유통가격이 t당 64만원까지 떨어졌다. LNG 값은 2,340.5달러다."


def of(summary, **values):
    return measure(Answer({"summary": summary, **values}), ARTICLE)


def test_copied_text_with_another_ending_is_held_whole():
    found = of(
        "도라제강이 포항 2공장의 전기로 1기를 세웠습니다.",
        reason_for_negative_impact="철근 유통가격이 64만원까지 떨어졌기 때문입니다.",
    )
    assert found.foreign == () and found.share == 1.0
    assert found.words == found.words_held > 6 and found.numbers == found.numbers_held == 3


def test_words_and_numbers_of_ones_own_are_named_in_order():
    found = of("도라제강이 수주 계약 7로 2공장을 세웠습니다.")
    assert found.foreign == ("수주", "계약", "7")
    assert (found.numbers, found.numbers_held) == (2, 1)


def test_number_is_held_only_whole():
    assert of("값은 340.5달러입니다.").foreign == ("340.5",)
    assert of("값은 2,340.5달러입니다.").foreign == ()


def test_latin_words_are_compared_whole_and_without_case():
    assert of("lng 값이 떨어졌습니다.").foreign == ()
    assert of("LPG 값이 떨어졌습니다.").foreign == ("LPG",)


def test_words_that_carry_the_sentence_do_not_count():
    assert content_words("그러한 것으로 있기 때문입니다.") == []
    assert content_words("회사가 합니다.") == ["회사가"]


def test_answer_without_texts_has_no_share():
    assert measure(Answer({"is_stock_related": True, "positive_impact_stocks": ["없는회사"]}), ARTICLE).share is None


@pytest.mark.parametrize(
    "text",
    [
        "전환 전환 전환 전환",
        "가격이 올랐고 가격이 올랐고 가격이 올랐고 ",
        "가나가나가나가나가나",
        "'계약', '계약', '계약', '계약', ",
    ],
)
def test_text_that_goes_round_is_a_loop(text):
    assert loops(f"앞말 {text} 뒷말")


@pytest.mark.parametrize(
    "text",
    [
        "도라제강이 3일부터 포항 2공장의 전기로 1기를 세웠습니다.",
        "1,000,000,000원",
        "하하하 웃었다",
        "None, 'a': None, 'b': None",
        "{'a': [], 'b': [], 'c': [], 'd': []}",
    ],
)
def test_ordinary_text_is_none(text):
    assert not loops(text)
