"""Pasted text made fit, or refused."""

import unicodedata

import pytest

from newsft.data.text import clean_text
from newsft.errors import UserError


@pytest.mark.parametrize(
    "pasted, text, changes",
    [
        ("그대로 둔다 📈", "그대로 둔다 📈", []),
        (unicodedata.normalize("NFD", "한글"), "한글", ["nfc"]),
        ("가\ud800나", "가�나", ["surrogate"]),
        ("가\0나", "가나", ["nul"]),
        ("\udfff\0" + unicodedata.normalize("NFD", "각"), "�각", ["surrogate", "nul", "nfc"]),
        ("가\r\n나\r다", "가\n나\n다", []),
    ],
)
def test_pasted_text_is_made_fit_and_the_changes_are_told(pasted, text, changes):
    assert clean_text(pasted) == (text, changes)


@pytest.mark.parametrize("pasted", ["", " \n\t", "\0\0", None])
def test_empty_paste_is_a_user_error_that_the_page_can_translate(pasted):
    with pytest.raises(UserError) as caught:
        clean_text(pasted)
    assert caught.value.key == "news_empty"


def test_paste_beyond_the_limit_is_a_user_error_with_both_numbers():
    assert clean_text("가" * 10, limit=10) == ("가" * 10, [])
    with pytest.raises(UserError, match="has 11 characters, the limit is 10") as caught:
        clean_text("가" * 11, limit=10, what="system_prompt")
    assert (caught.value.key, caught.value.values) == ("system_prompt_too_long", {"count": 11, "limit": 10})
