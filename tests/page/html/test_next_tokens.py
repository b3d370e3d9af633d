import numpy as np
import pytest

from newsft.inference.types import NextTokens
from newsft.page.html.next_tokens import format_place
from newsft.page.texts import say
from tests.page.html.test_compare import LANGUAGES, Page


@pytest.fixture
def seen(chat, tokenizer):
    """An answer of four tokens, of which two are one syllable's first bytes; the sides part at its second place."""
    start = tokenizer("{'", add_special_tokens=False)["input_ids"][:1]
    syllable = tokenizer("뷁", add_special_tokens=False)["input_ids"]
    ids = [*start, *syllable]
    base = np.array([[token, chat.end_id] for token in [*ids, chat.end_id]], np.int32)
    tuned = base.copy()
    tuned[1] = tuned[1][::-1]
    chances = np.array([[0.9, 0.0001]] * len(base), np.float32)
    return NextTokens(ids, {"base": (base, chances), "tuned": (tuned, chances)})


@pytest.mark.parametrize("language", LANGUAGES)
def test_place_shows_both_sides_the_written_token_and_where_they_part(seen, chat, language):
    page = Page(format_place(seen, 0, chat, language=language))
    assert page.tags.count("table") == 2 and page.text.count(say("next_written", language)) == 2
    assert "90.0 %" in page.text and "< 0.1 %" in page.text and "<|eot_id|>" in page.text
    assert Page(say("next_parts", language, place="2")).text in page.text


def test_bytes_of_a_syllable_are_shown_and_what_they_complete(seen, chat):
    last = len(seen.ids) - 1
    page = Page(format_place(seen, last, chat, language="ko"))
    assert "→ 뷁" in page.text and say("token_part_of", "ko") in page.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_place_behind_the_answer_has_no_written_token(seen, chat, language):
    page = Page(format_place(seen, len(seen.ids), chat, language=language))
    assert say("next_written", language) not in page.text and say("next_end", language) in page.text


def test_markup_in_a_token_is_text(chat, tokenizer):
    (mark,) = tokenizer("<", add_special_tokens=False)["input_ids"]
    column = (np.array([[mark]], np.int32), np.array([[1.0]], np.float32))
    page = Page(format_place(NextTokens([], {"base": column, "tuned": column}), 0, chat, language="en"))
    assert "<" in page.text and say("next_never", "en") in page.text
