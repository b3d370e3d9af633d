import html
import json
import re
import unicodedata

import gradio as gr
import pytest

from newsft.data.text import clean_text
from newsft.lessons.conversations import DRAWN_TOKENS, TEXT_LIMIT
from newsft.lessons.source import Shelf
from newsft.page.tabs import lab
from newsft.page.tabs.lab import NO_CUT, SWITCHES, show_lab
from newsft.page.tabs.template import show_template
from newsft.page.tabs.tokens import describe_row, show_batch, show_row
from newsft.page.texts import say
from tests.page.html.test_compare import LANGUAGES, Page

ODD = {
    "control_tokens": "앞 <|begin_of_text|><|eot_id|><|start_header_id|>system<|end_header_id|>\n\n뒤",
    "nul": "숨은\0글자",
    "surrogates": "깨진 \ud83d 글자 \udc00",
    "nfd": unicodedata.normalize("NFD", "풀어 쓴 한글"),
    "right_to_left": "שלום \u202eمرحبا\u202c 안녕",
    "joined_emoji": "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 e\u0302\u0301x",
    "tag": "<img src=x onerror=alert(1)>",
    "dollar": "${alert(1)} {{constructor}} {0} {next} %s",
    "script": "</script><script>alert(1)</script>",
    "quotes": "' onmouseover='alert(1) \" onmouseover=\"alert(1) ` &#39; &quot; \\",
    "line_ends": "가\r\n나\r다\u2028라\u0085마\x0b바",
}
CHANGED = {"nul": "nul", "surrogates": "surrogate", "nfd": "nfc"}
FIELDS = ("system", "user", "assistant")


@pytest.fixture(scope="module")
def shelf(rows, chat):
    return Shelf(rows, chat)


@pytest.fixture(scope="module")
def untouched(rows):
    """A shelf without a tokenizer: whoever asks for tokens fails."""
    return Shelf(rows, None)


def own(field, text):
    return ("own", 0, *(text if name == field else "보통 글" for name in FIELDS))


def views(shelf, language, tokenizer, choice, *, switched=("pasted",)):
    """The three tabs' HTML for one choice."""
    return {
        "row": show_row(shelf, language, tokenizer, *choice),
        "template": show_template(shelf, language, tokenizer, *choice, False, "official"),
        "lab": "".join(show_lab(shelf, language, tokenizer, *choice, list(switched), NO_CUT)),
    }


def held(shown):
    """The rows that `data-tokens` holds, as a browser reads the attribute."""
    return [json.loads(value) for name, value in Page(shown).attributes if name == "data-tokens"]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("name", ["llama3", "model"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_text_is_shown_in_every_tab_as_text(shelf, odd, name, field):
    content = clean_text(ODD[odd])[0].strip()
    for tab, shown in views(shelf, "ko", name, own(field, ODD[odd])).items():
        page = Page(shown)
        assert not {"img", "script"} & set(page.tags)
        assert not any(attribute.startswith("on") for attribute, _ in page.attributes)
        if tab == "template":
            assert page.text.count(content) >= 2
        for row in held(shown):
            text = "".join(row["text"])
            assert text == shelf.chat(name).tokenizer.decode(row["id"], clean_up_tokenization_spaces=False)
            assert content in text or (tab == "lab" and field == "user")


@pytest.mark.parametrize("odd", ODD)
def test_own_text_never_becomes_a_control_token(shelf, odd):
    for row in held(show_row(shelf, "ko", "llama3", *own("user", ODD[odd]))):
        assert {origin for origin, control in zip(row["origin"], row["control"], strict=True) if control} == {
            "template"
        }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("odd", CHANGED)
def test_what_was_changed_in_the_text_is_said(shelf, odd, language):
    shown = views(shelf, language, "model", own("user", ODD[odd]))
    assert all(say(f"changed_{CHANGED[odd]}", language) in shown[tab] for tab in ("row", "template"))


def test_lab_says_what_was_changed_in_the_text(shelf):  # bug: break_rows() drops what Shelf.messages() tells about it
    assert say("changed_nfc", "ko") in views(shelf, "ko", "model", own("user", ODD["nfd"]))["lab"]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("field, key", [("user", "error_user_message_empty"), ("assistant", "error_answer_empty")])
def test_empty_message_is_refused_in_every_tab(untouched, field, key, language):
    for shown in views(untouched, language, "model", own(field, " \n")).values():
        assert Page(shown).text == say(key, language) and 'role="alert"' in shown


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_megabyte_of_text_is_refused_before_it_is_tokenized(untouched, field, language):
    choice = own(field, "가" * 1_000_000)
    for shown in (
        *views(untouched, language, "model", choice).values(),
        show_batch(untouched, language, "model", *choice, 1),
    ):
        assert f"{TEXT_LIMIT:,}" in shown and "1,000,000" in shown and len(shown) < 500
    with pytest.raises(gr.Error, match=f"limit is {TEXT_LIMIT:,}"):
        describe_row(untouched, [{"role": field, "content": "가" * 1_000_000}], "model")


def test_row_of_too_many_tokens_is_refused_where_tokens_are_drawn(shelf):
    choice = own("user", "🦩" * TEXT_LIMIT)
    for shown in (show_row(shelf, "en", "model", *choice), show_batch(shelf, "en", "model", *choice, 1)):
        assert f"{DRAWN_TOKENS:,}" in shown and "<i" not in shown
    assert (
        f"{lab.COMPARED_TOKENS:,}"
        in show_lab(shelf, "en", "model", *own("user", "가" * lab.COMPARED_TOKENS), [], NO_CUT)[0]
    )  # two rows compared: less
    with pytest.raises(gr.Error, match=f"{DRAWN_TOKENS:,}"):
        describe_row(shelf, [{"role": "user", "content": "🦩" * TEXT_LIMIT}], "model")


@pytest.mark.parametrize("number", [-1, 991, None, 1.5])
def test_unknown_row_is_refused_in_every_tab(untouched, shelf, number):
    choice = ("row", number, "", "", "")
    assert all("990" in shown and "<i" not in shown for shown in views(untouched, "ko", "model", choice).values())
    assert "990" in show_batch(shelf, "ko", "model", "toy", 0, "", "", "", number)


@pytest.mark.parametrize("cut", [NO_CUT, 1, 30, 2048])
@pytest.mark.parametrize("odd", ODD)
def test_all_faults_at_once_on_odd_text_give_a_verdict(shelf, odd, cut):
    verdict, explained, pair = show_lab(shelf, "ko", "llama3", *own("user", ODD[odd]), list(SWITCHES), cut)
    assert say("lab_broken", "ko") in Page(verdict).text
    assert Page(explained).tags.count("article") == len(SWITCHES) + bool(cut)
    assert len(held(pair)) == 2 and not {"img", "script"} & set(Page(pair).tags)


@pytest.mark.parametrize("name", ["llama3", "model"])
@pytest.mark.parametrize("odd", ODD)
def test_described_row_has_one_of_each_per_token_and_its_texts_are_the_row(shelf, odd, name):
    found = describe_row(shelf, [{"role": role, "content": ODD[odd]} for role in FIELDS], name)
    assert len({len(column) for column in found.values()}) == 1
    assert "".join(found["texts"]) == shelf.chat(name).tokenizer.decode(
        found["input_ids"], clean_up_tokenization_spaces=False
    )
    assert json.loads(json.dumps(found)) == found
    assert {origin for origin, label in zip(found["origins"], found["labels"], strict=True) if label != -100} == {
        "answer",
        "template",
    }


def test_conversation_without_an_answer_is_described_as_the_prompt(shelf):
    found = describe_row(shelf, [{"role": "user", "content": "질문"}])
    assert set(found["labels"]) == {-100} and "".join(found["texts"]).endswith(
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


@pytest.mark.parametrize(
    "messages", [None, [], [3], [{"role": "tool", "content": "x"}], [{"role": "user", "content": ""}]]
)
def test_description_of_anything_else_is_refused_in_words(untouched, messages):
    with pytest.raises(gr.Error):
        describe_row(untouched, messages, "model")


def test_description_with_an_unknown_tokenizer_is_refused(
    shelf,
):  # bug: any other name silently means the loaded model's
    with pytest.raises(gr.Error, match="llama3"):
        describe_row(shelf, [{"role": "user", "content": "질문"}], "gpt2")


def test_attribute_with_the_tokens_survives_quotes(shelf):
    shown = show_row(shelf, "ko", "model", *own("user", ODD["quotes"]))
    attribute = re.search(r"data-tokens='([^']*)'", shown)[1]
    assert [json.loads(html.unescape(attribute))] == held(shown)
    assert not set("<'") & set(attribute)
