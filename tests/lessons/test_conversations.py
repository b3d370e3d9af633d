import unicodedata

import pytest

from newsft.data.messages import row_messages
from newsft.errors import UserError
from newsft.lessons.conversations import (
    DRAWN_TOKENS,
    TEXT_LIMIT,
    TOY,
    check_length,
    own_messages,
    pick_row,
    read_messages,
)
from newsft.page.texts import LANGUAGES, say, say_error

HELLO = {"role": "user", "content": "안녕하세요?"}
DECOMPOSED = unicodedata.normalize("NFD", "한글")


@pytest.mark.parametrize("number", [0, 3, 3.0, 990])
def test_row_is_found_by_its_number_counted_from_zero(rows, number):
    assert pick_row(rows, number) == row_messages(rows[int(number)])


# Bug: NaN and infinity come out as int()'s own ValueError and OverflowError.
@pytest.mark.parametrize("number", [-1, 991, 1.5, None, "3", float("nan"), float("inf")])
def test_number_of_no_row_is_refused_with_the_last_one(rows, number):
    with pytest.raises(UserError, match="990") as refused:
        pick_row(rows, number)
    assert all("990" in say_error(refused.value, language) for language in LANGUAGES.values())


def test_own_texts_become_a_conversation_of_three_messages():
    assert own_messages(*(message["content"] for message in TOY)) == (TOY, [])


@pytest.mark.parametrize("blank", ["", "  \n\t"])
def test_blank_system_prompt_is_left_out(blank):
    messages, changes = own_messages(blank, "질문", "답")
    assert [message["role"] for message in messages] == ["user", "assistant"]
    assert changes == []


# Bug: the NUL is removed only after the system prompt was taken for one that is not blank.
def test_system_prompt_of_invisible_nul_alone_is_blank_too():
    assert own_messages("\0", "질문", "답")[0] == own_messages("", "질문", "답")[0]


@pytest.mark.parametrize("blank", ["", "  \n\t", "\0", "\u3000"])
@pytest.mark.parametrize(
    "texts, key", [(("", None, "답"), "error_user_message_empty"), (("지시", "질문", None), "error_answer_empty")]
)
def test_blank_user_message_or_answer_is_refused_in_both_languages(blank, texts, key):
    with pytest.raises(UserError) as refused:
        own_messages(*(blank if text is None else text for text in texts))
    assert all(say_error(refused.value, language) == say(key, language) for language in LANGUAGES.values())


@pytest.mark.parametrize("place", range(3))
def test_text_over_the_limit_is_refused_with_both_numbers_in_both_languages(place):
    texts = ["지시", "질문", "답"]
    texts[place] = "가" * TEXT_LIMIT
    assert own_messages(*texts)[0][place]["content"] == texts[place]
    texts[place] += "가"
    with pytest.raises(UserError) as refused:
        own_messages(*texts)
    for said in (str(refused.value), *(say_error(refused.value, language) for language in LANGUAGES.values())):
        assert f"{TEXT_LIMIT:,}" in said and f"{TEXT_LIMIT + 1:,}" in said


def test_what_was_changed_is_told_once():
    messages, changes = own_messages(DECOMPOSED, f"{DECOMPOSED}\0", "깨진 \ud800 글자")
    assert sorted(changes) == ["nfc", "nul", "surrogate"]
    assert [message["content"] for message in messages] == ["한글", "한글", "깨진 \ufffd 글자"]


def test_line_ends_become_newlines_without_a_word():
    messages, changes = own_messages("", "가\r\n나\r다", "답")
    assert messages[0]["content"] == "가\n나\n다"
    assert changes == []


def test_messages_from_outside_keep_role_and_cleaned_content_only():
    given = [HELLO | {"name": "x"}, {"role": "assistant", "content": f"{DECOMPOSED}\0\ud800"}]
    assert read_messages(given) == [HELLO, {"role": "assistant", "content": "한글\ufffd"}]
    assert given[1]["content"] != "한글\ufffd"


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "안녕",
        {},
        [],
        [HELLO] * 21,
        ["안녕"],
        [None],
        [{}],
        [{"role": "user"}],
        [{"content": "x"}],
        [{"role": "user", "content": 3}],
        [{"role": "user", "content": None}],
        [{"role": "tool", "content": "x"}],
        [{"role": None, "content": "x"}],
        [{"role": ["user"], "content": "x"}],  # bug: TypeError, a list cannot be looked up in ORIGINS
        [{"role": "user", "content": " "}],
        [{"role": "user", "content": "가" * (TEXT_LIMIT + 1)}],
    ],
)
def test_anything_but_a_list_of_messages_is_refused(messages):
    with pytest.raises(UserError):
        read_messages(messages)


def test_row_at_the_token_limit_is_drawn_and_one_above_it_refused():
    check_length(DRAWN_TOKENS)
    with pytest.raises(UserError) as refused:
        check_length(DRAWN_TOKENS + 1)
    assert all(
        f"{DRAWN_TOKENS + 1:,}" in say_error(refused.value, language)
        and f"{DRAWN_TOKENS:,}" in say_error(refused.value, language)
        for language in LANGUAGES.values()
    )
