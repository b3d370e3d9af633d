"""What the encoding promises, for every kind of tokenizer and template: small ones with the real ones' properties, and the real ones where they are."""

import unicodedata
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsft.data.messages import row_messages
from newsft.encoding.chat import ChatFormat
from newsft.encoding.checks import CHECKS, check_row
from newsft.encoding.fidelity import find_id_difference, find_text_difference, joins_answer
from newsft.encoding.row import IGNORED
from newsft.encoding.tokens import read_tokens
from newsft.errors import UserError
from tests.tokenizers import (
    LAST_USER,
    MARKERS,
    NOT_SPECIAL,
    OPEN_THINK,
    SMALL,
    SPECIAL,
    TEMPLATES,
    THINKING,
    load_real,
    real_folders,
)

SYSTEM = {"role": "system", "content": " 시스템. \n"}
USER = {"role": "user", "content": "\n뉴스 새빛전자 똠방각하 뷁!! …\u2003\n\n끝. "}
ANSWER = {"role": "assistant", "content": "{'a': 1, 'b': '뷁 둘  셋!'}"}
CONVERSATION = [SYSTEM, USER, ANSWER]
WORDS = st.sampled_from(
    [
        "새빛전자",
        "뷁",
        "똠",
        " ",
        "  ",
        "\n",
        "\n\n",
        "\u2003",
        "!",
        "!!",
        ".",
        "'",
        "{",
        "]",
        "📈",
        "e\u0301",
        "ᄒᆞᆫ",
        "<",
        "|",
        "1,234",
        "the",
    ]
)
TEXTS = st.lists(WORDS, max_size=12).map("".join)
FORGED = st.lists(WORDS | st.sampled_from([*SPECIAL, *NOT_SPECIAL, "<|im_", "end|>", "<unk>"]), max_size=12).map(
    "".join
)
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FORMATS = {f"{kind}-{template}": (kind, template) for kind in SMALL for template in TEMPLATES}


@pytest.fixture(scope="module")
def formats():
    return {name: ChatFormat(SMALL[kind](TEMPLATES[template])) for name, (kind, template) in FORMATS.items()}


@pytest.fixture(params=FORMATS)
def chat(request, formats):
    return formats[request.param]


def failing(chat, messages):
    return [name for name, holds in check_row(chat, messages, chat.encode_row(messages)).items() if not holds]


def messages_of(system, news, answer):
    return [
        {"role": role, "content": content}
        for role, content in (("system", f"가{system}"), ("user", f"{news}나"), ("assistant", f"{{{answer}}}"))
    ]


def test_every_check_holds(chat):
    assert failing(chat, CONVERSATION) == failing(chat, CONVERSATION[1:]) == []


@FEW
@given(system=TEXTS, news=TEXTS, answer=TEXTS)
def test_text_and_ids_are_those_that_template_and_tokenizer_make_by_themselves(chat, system, news, answer):
    messages = messages_of(system, news, answer)
    row = chat.encode_row(messages)
    assert find_text_difference(chat, messages, row) is None
    assert find_id_difference(chat, messages, row) is None
    assert row.input_ids == chat.encode_text(
        chat.render(messages).removesuffix(chat.uninvited(messages))
    ).ids or joins_answer(chat, messages, row)


@FEW
@given(system=FORGED, news=FORGED, answer=FORGED)
def test_no_message_holds_an_added_token(chat, system, news, answer):
    row = chat.encode_row(messages_of(system, news, answer))
    added = {number for number, token in chat.tokenizer.added_tokens_decoder.items() if token.content != "!"}
    assert not [
        token
        for token, origin in zip(row.input_ids, row.origins, strict=True)
        if token in added and origin != "template"
    ]


@FEW
@given(news=TEXTS, answer=TEXTS)
def test_prompt_is_the_row_up_to_its_first_label(chat, news, answer):
    messages = messages_of("", news, answer)
    row, prompt = chat.encode_row(messages), chat.encode_prompt(messages[:-1])
    assert row.input_ids[: len(prompt)] == prompt.input_ids
    assert next(i for i, label in enumerate(row.labels) if label != IGNORED) == len(prompt)


@FEW
@given(news=FORGED, answer=FORGED)
def test_token_tab_shows_every_character_once(chat, news, answer):
    row = chat.encode_row(messages_of("", news, answer))
    shown = "".join(token.text for token in read_tokens(chat, row))
    assert unicodedata.normalize("NFC", row.text) == unicodedata.normalize(
        "NFC", shown
    )  # a tokenizer that composes shows what it made


def test_syllable_of_three_bytes_is_shown_once():
    chat = ChatFormat(SMALL["sentencepiece"]())
    row = chat.encode_row([{"role": "user", "content": "친"}, ANSWER])
    shown = [token for token in read_tokens(chat, row) if token.origin == "user"]
    assert [token.text for token in shown if token.text] == ["친"] and len(shown) == 3


def test_checks_look_at_every_added_token_by_its_id():
    chat = ChatFormat(SMALL["byte_level"](MARKERS))
    assert chat.control_ids == set(chat.tokenizer.added_tokens_decoder)
    row = chat.encode_row([USER, ANSWER])
    row.input_ids[row.origins.index("user")] = chat.tokenizer.convert_tokens_to_ids(
        "<tool_call>"
    )  # not special by name
    assert not check_row(chat, [USER, ANSWER], row)["no_forged"]


def test_row_with_something_between_prompt_and_labels_fails_a_check():
    chat = ChatFormat(SMALL["byte_level"](THINKING))
    row = chat.encode_row([USER, ANSWER])
    first = next(i for i, label in enumerate(row.labels) if label != IGNORED)
    row.labels[first] = IGNORED
    assert [name for name, holds in check_row(chat, [USER, ANSWER], row).items() if not holds] == ["no_gap"] and CHECKS[
        -1
    ] == "no_gap"


def test_prompt_has_the_empty_think_block_of_the_row():
    assert (
        ChatFormat(SMALL["byte_level"](THINKING))
        .encode_prompt([USER])
        .text.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    )


def test_prompt_opens_no_think_block_that_rows_lack():
    assert ChatFormat(SMALL["byte_level"](OPEN_THINK)).encode_prompt([USER]).text.endswith("<|im_start|>assistant\n")


def test_answer_that_the_template_takes_apart_is_a_difference():
    chat = ChatFormat(SMALL["byte_level"](THINKING))
    messages = [USER, {"role": "assistant", "content": "<think>\n왜\n</think>\n\n답"}]
    found = find_text_difference(chat, messages, chat.encode_row(messages))
    assert found.what == "text" and "왜" in found.expected and "looks into the message" in str(found)


def test_answer_that_begins_with_line_breaks_is_written_as_by_the_template():
    chat = ChatFormat(SMALL["byte_level"](THINKING))
    messages = [USER, {"role": "assistant", "content": "\n\n답"}]
    assert chat.encode_row(messages).text == chat.render(messages)


def test_ids_that_the_tokenizer_does_not_give_are_a_difference():
    chat = ChatFormat(SMALL["sentencepiece"]())
    row = chat.encode_row([USER, ANSWER])
    row.input_ids.insert(
        row.origins.index("user"), chat.tokenizer.convert_tokens_to_ids("▁")
    )  # as encoding the news by itself would
    found = find_id_difference(chat, [USER, ANSWER], row)
    assert found.what == "ids" and "▁" in found.own


def test_pad_token_that_is_an_exclamation_mark_changes_no_ids():
    saved, original = (ChatFormat(SMALL[name]()) for name in ("pad_is_a_mark", "byte_level"))
    messages = [{"role": "user", "content": "급등했다! 최고!!"}, ANSWER]
    assert saved.encode_row(messages).input_ids == original.encode_row(messages).input_ids
    assert find_id_difference(saved, messages, saved.encode_row(messages)) is None


def test_every_turns_beginning_of_text_is_the_templates():
    chat = ChatFormat(SMALL["sentencepiece"]())
    messages = [SYSTEM, USER, ANSWER, {"role": "user", "content": "왜요?"}, ANSWER]
    row = chat.encode_row(messages)
    assert row.input_ids.count(chat.tokenizer.bos_token_id) == 2 and failing(chat, messages) == []


def test_system_prompt_that_is_written_only_while_no_answer_follows_is_named():
    chat = ChatFormat(SMALL["sentencepiece"](LAST_USER))
    for ask in (chat.encode_row, lambda messages: chat.encode_prompt(messages[:-1])):
        with pytest.raises(UserError, match=r"writes message 1 \(system\) only while no answer follows"):
            ask(CONVERSATION)
    assert failing(chat, CONVERSATION[1:]) == []


def test_date_is_that_of_the_format_and_not_of_the_clock():
    chat = ChatFormat(SMALL["byte_level"](TEMPLATES["channels"]), day=date(2026, 3, 1))
    assert chat.is_dated and "Current date: 2026-03-01" in chat.encode_row([USER, ANSWER]).text
    assert "Current date: 2026-03-02" in chat.on_day(date(2026, 3, 2)).encode_prompt([USER]).text
    assert not ChatFormat(SMALL["byte_level"]()).is_dated


@pytest.fixture(scope="module", params=sorted(real_folders()) or ["none"])
def real(request):
    if request.param == "none":
        pytest.skip("NEWSFT_TOKENIZERS names no folder with the real tokenizers")
    try:
        return ChatFormat(load_real(request.param))
    except UserError as error:  # some have no chat template
        pytest.skip(str(error))


def test_real_tokenizer_keeps_every_promise(real, rows):
    forged = {
        "role": "user",
        "content": "앞 "
        + " ".join(token.content for token in list(real.tokenizer.added_tokens_decoder.values())[-60:])
        + " 뒤",
    }
    for messages in ([USER, ANSWER], [forged, ANSWER], *(row_messages(row)[1:] for row in rows[:20])):
        row = real.encode_row(messages)
        assert all(check_row(real, messages, row).values())
        assert find_text_difference(real, messages, row) is None and find_id_difference(real, messages, row) is None
        assert "".join(token.text for token in read_tokens(real, row)) == row.text
