"""The tab 토큰·레이블·마스크: every token of a row with its label and mask, and a batch of two."""

import gradio as gr

from newsft.encoding import tokens
from newsft.encoding.collate import pad_batch
from newsft.errors import UserError
from newsft.lessons.conversations import check_length, read_messages
from newsft.lessons.source import Shelf
from newsft.page.chooser import Chooser, explain, explain_errors
from newsft.page.html import tokens as views
from newsft.page.texts import say
from newsft.page.words import Words, waiting


@explain_errors()
def show_row(shelf: Shelf, language: str, tokenizer_name: str, *choice) -> str:
    """The row's sums, badges, decoded labels and chips."""
    messages, changes = shelf.messages(*choice)
    chat = shelf.chat(tokenizer_name)
    encoded = chat.encode_row(messages)
    check_length(len(encoded))
    row = tokens.read_row(chat, messages, encoded)
    return explain(changes, language) + views.format_row(row, language=language)


@explain_errors()
def show_batch(shelf: Shelf, language: str, tokenizer_name: str, *choice) -> str:
    """The chosen row collated with a second one of the data set, which is the last of `choice`."""
    *first, second = choice
    conversations = [shelf.messages(*chosen)[0] for chosen in (first, ("row", second, "", "", ""))]
    chat = shelf.chat(tokenizer_name)
    padded = pad_batch([chat.encode_row(messages) for messages in conversations], pad_id=chat.pad_id)
    check_length(len(padded[0]))
    read = [tokens.read_tokens(chat, row) for row in padded]
    pad_text = chat.tokenizer.convert_ids_to_tokens(chat.pad_id)
    return views.format_batch(read, pad_id=chat.pad_id, pad_text=pad_text, language=language)


def describe_row(shelf: Shelf, messages: list[dict], tokenizer: str = "llama3") -> dict:
    """A conversation as the training encodes it: `input_ids`, `labels`, `attention_mask`, `origins` and `texts`, one of each per token.

    `messages` are dicts with `role` (system, user, assistant) and `content`; `tokenizer` is llama3 or model.
    """
    try:
        checked, chat = read_messages(messages), shelf.chat(tokenizer)
        encoded = chat.encode_row(checked) if checked[-1]["role"] == "assistant" else chat.encode_prompt(checked)
        check_length(len(encoded))
    except UserError as error:
        raise gr.Error(str(error), print_exception=False) from error
    return {
        "input_ids": encoded.input_ids,
        "labels": encoded.labels,
        "attention_mask": encoded.attention_mask,
        "origins": encoded.origins,
        "texts": [token.text for token in tokens.read_tokens(chat, encoded)],
    }


def build_tokens_tab(shelf: Shelf, words: Words, *, tab: gr.Tab, chosen: gr.State, language: gr.Radio) -> None:
    """Build the tab."""
    last = len(shelf.rows) - 1
    words.make(gr.Markdown, {"value": "tokens_intro"})
    chooser = Chooser(shelf, words, name="tokens")
    row = words.make(gr.HTML, {}, first={"value": waiting("loading_tokenizer")}, elem_id="row")
    with words.make(gr.Accordion, {"label": "batch"}, open=True, elem_id="batch"):
        words.make(gr.Markdown, {"value": "batch_intro"})
        label = {"label": lambda to: say("second_row", to, last=last)}
        second = words.make(gr.Number, label, value=1, precision=0, elem_id="second-row")
        bands = gr.HTML(elem_id="bands")

    def show(*values) -> list[str]:
        return [show_row(shelf, *values[:-1]), show_batch(shelf, *values)]

    chooser.on_change(show, [second], [row, bands], tab=tab, chosen=chosen, language=language)
    gr.api(_endpoint(shelf), api_name="tokens", queue=False)


def _endpoint(shelf: Shelf):
    def describe(messages: list[dict], tokenizer: str = "llama3") -> dict:
        return describe_row(shelf, messages, tokenizer)

    describe.__doc__ = describe_row.__doc__
    return describe
