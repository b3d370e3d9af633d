"""A stream of tokens is the text that they have together, whatever the tokenizer."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsft.encoding.chat import ChatFormat
from newsft.encoding.pieces import Piece
from newsft.encoding.token_bytes import unfinished_bytes
from newsft.inference.detokenizer import IncrementalDetokenizer
from tests.tokenizers import SMALL, load_real, real_folders

FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KINDS = [*SMALL, *real_folders()]


@pytest.fixture(scope="module")
def chats():
    return {}


@pytest.fixture(params=KINDS)
def chat(request, chats):
    name = request.param
    if name not in chats:
        tokenizer = SMALL[name]() if name in SMALL else load_real(name)
        if not tokenizer.chat_template:
            pytest.skip(f"{name} has no chat template")
        chats[name] = ChatFormat(tokenizer)
    return chats[name]


def ids_of(chat, text):
    return chat.encode_pieces([Piece(text, "answer")]).input_ids


def stream(chat, ids):
    """The finished text, and that it only ever grew."""
    detokenizer, seen = IncrementalDetokenizer(chat), ""
    for token in ids:
        grown = detokenizer.add(token)
        assert grown.startswith(seen)
        seen = grown
    assert detokenizer.count == len(ids)
    whole = detokenizer.finish()
    assert whole.startswith(seen)
    return whole


@FEW
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30) | st.text("새빛전자뷁똠 !.\n", max_size=40))
def test_stream_of_a_text_is_what_its_tokens_have_together(chat, text):
    ids = ids_of(chat, text)
    assert stream(chat, ids) == chat.decode(ids)


@FEW
@given(data=st.data())
def test_stream_of_any_tokens_is_what_they_have_together(chat, data):
    ids = data.draw(st.lists(st.integers(0, len(chat.tokenizer) - 1), max_size=20))
    whole = stream(chat, ids)
    shown = [token for token in ids if token not in chat.hidden_ids]
    assert whole == chat.decode(ids) or unfinished_bytes(chat, shown)


def test_spaces_and_exclamation_marks_stay(chat):
    text = "급등했다! 최고!! 새빛전자가 2분기 이익"
    assert stream(chat, ids_of(chat, text)).lstrip() == text


def test_answer_cut_inside_a_syllable_loses_what_is_unfinished(chat):
    text = "새 뷁똠 끝"
    ids = ids_of(chat, text)
    for cut in range(len(ids)):
        whole = stream(chat, ids[:cut])
        assert "\ufffd" not in whole and text.startswith(whole.lstrip())


def test_control_tokens_are_hidden(chat):
    end = chat.tokenizer.eos_token_id
    assert stream(chat, [*ids_of(chat, "끝"), end]).strip() == "끝"
