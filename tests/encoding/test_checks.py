import copy

import pytest

from newsft.data.messages import row_messages
from newsft.encoding.chat import ChatFormat
from newsft.encoding.checks import CHECKS, check_row
from newsft.encoding.collate import pad_batch
from newsft.encoding.llama3 import VARCO_TEMPLATE, llama3_chat
from newsft.lessons.conversations import TOY
from newsft.lessons.faults import Faults, break_row, spoil_messages

PROMPT = "the prompt's length"  # a cut that takes the whole answer and nothing else


@pytest.fixture(scope="module", params=["mini", "llama3", "mini_varco", "llama3_varco"])
def any_template(request, tokenizer):
    """Both tokenizers, with their own template and with VARCO's, which opens the answer's turn asked or not."""
    name, _, varco = request.param.partition("_")
    found = tokenizer if name == "mini" else llama3_chat().tokenizer
    if varco:
        found = copy.deepcopy(found)
        found.chat_template = VARCO_TEMPLATE
    return ChatFormat(found)


def failing(chat, messages, **faults):
    if faults.get("cut") == PROMPT:
        faults["cut"] = len(chat.encode_prompt(messages[:-1]))
    messages = spoil_messages(chat, messages, Faults(**faults))
    held = check_row(chat, messages, break_row(chat, messages, Faults(**faults)))
    return {name for name, holds in held.items() if not holds}


def test_all_checks_hold_for_shipped_rows(any_template, rows):
    for number, row in enumerate(rows[:60]):
        messages = row_messages(row)
        assert check_row(any_template, messages, any_template.encode_row(messages)) == dict.fromkeys(CHECKS, True), (
            number
        )


@pytest.mark.parametrize(
    "faults, expected",
    [
        ({"two_bos": True}, {"one_bos", "prefix"}),
        ({"header_spaces": True}, {"labels", "end_of_turn", "prefix"}),
        ({"header_spaces": True, "one_newline": True}, {"labels", "end_of_turn", "prefix"}),
        ({"no_end": True}, {"end_of_turn"}),
        ({"unmasked": True}, {"only_answers"}),
        ({"trailing_header": True}, {"end_of_turn", "only_answers"}),
        ({"pasted": True, "unprotected": True}, {"no_forged", "prefix"}),
        ({"one_newline": True}, {"prefix"}),
        ({"cut": PROMPT}, {"labels", "end_of_turn"}),
        ({"cut": 10}, {"labels", "end_of_turn", "prefix"}),
        ({"pasted": True}, set()),
        ({"unprotected": True}, set()),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_fault_fails_its_checks_and_no_other(any_template, faults, expected):
    assert failing(any_template, TOY, **faults) == expected


def test_padding_breaks_no_check(any_template):
    rows = [
        any_template.encode_row(messages)
        for messages in (TOY, [TOY[0], {"role": "user", "content": "긴 뉴스 본문. " * 40}, TOY[2]])
    ]
    padded = pad_batch(rows, pad_id=any_template.pad_id)[0]
    assert len(padded) > len(rows[0])
    assert all(check_row(any_template, TOY, padded).values())


def test_checks_come_in_the_order_of_the_report(chat):
    assert tuple(check_row(chat, TOY, chat.encode_row(TOY))) == CHECKS


def test_every_turn_of_a_longer_conversation_passes(any_template):
    messages = TOY + TOY[1:]
    assert all(check_row(any_template, messages, any_template.encode_row(messages)).values())
    assert failing(any_template, messages, no_end=True) == {"end_of_turn"}


def test_row_with_a_shortened_news_differs_from_its_own_prompt(chat):
    messages = [TOY[0], {"role": "user", "content": "긴 뉴스 본문. " * 100}, TOY[2]]
    held = check_row(chat, messages, chat.encode_row(messages, max_length=200))
    assert [name for name, holds in held.items() if not holds] == ["prefix"]


def test_template_without_bos_passes(tokenizer):
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = changed.chat_template.replace("{{- bos_token }}", "")
    changed = ChatFormat(changed)
    encoded = changed.encode_row(TOY)
    assert tokenizer.bos_token_id not in encoded.input_ids
    assert all(check_row(changed, TOY, encoded).values())


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_exclamation_marks_are_not_forged_control_tokens(role):
    chat = llama3_chat()
    messages = [message | {"content": "오르다! 정말?!"} if message["role"] == role else message for message in TOY]
    encoded = chat.encode_row(messages)
    assert chat.pad_id in encoded.input_ids
    assert all(check_row(chat, messages, encoded).values())


def test_control_ids_are_those_that_no_text_produces(chat, tokenizer):
    llama3 = llama3_chat()
    assert llama3.pad_id in llama3.tokenizer.added_tokens_decoder  # special by name only
    assert llama3.control_ids == set(range(128_000, 128_256))
    assert chat.control_ids == set(tokenizer.added_tokens_decoder)
