"""The part of the tab 고장 실험실 that asks what one's own trainer would make of the row."""

from datetime import UTC, datetime
from functools import partial

import gradio as gr

from newsft.encoding import tokens
from newsft.lessons.conversations import COMPARED_TOKENS, check_length
from newsft.lessons.inspect import changed_positions, find_differences
from newsft.lessons.source import Shelf
from newsft.lessons.trainers import load_trainers, prepare_row
from newsft.page.chooser import Chooser, explain_errors
from newsft.page.html import trainers as views
from newsft.page.texts import say
from newsft.page.words import QUICK, Words

NO_LIMIT = 10**9


@explain_errors(more=1)
def show_trainer(shelf: Shelf, language: str, tokenizer_name: str, *values) -> list[str]:
    """What the chosen trainer does, and the two rows; `values` are the choice of the conversation and the entry's key."""
    *choice, key = values
    trainer = load_trainers()[key]
    chat = shelf.chat(tokenizer_name)
    messages, _ = shelf.messages(*choice)
    ours, today = chat.encode_row(messages), datetime.now(UTC).date()
    check_length(len(ours), limit=COMPARED_TOKENS)
    whole = prepare_row(trainer, chat, messages, today=today, limit=NO_LIMIT)
    check_length(len(whole or ours), limit=COMPARED_TOKENS)
    theirs = prepare_row(trainer, chat, messages, today=today)
    is_over = whole and trainer.limit and len(whole) > trainer.limit
    over = {"count": len(whole), "limit": trainer.limit} if is_over else None
    lost, changed = changed_positions(ours, theirs) if theirs else ([], [])
    told = views.format_trainer(
        trainer, find_differences(chat, ours, theirs) if theirs else [], over=over, language=language
    )
    read_ours, read_theirs = tokens.read_tokens(chat, ours), tokens.read_tokens(chat, theirs) if theirs else None
    return [told, views.format_rows(trainer, read_ours, read_theirs, lost=lost, changed=changed, language=language)]


def build_trainers(
    shelf: Shelf, words: Words, chooser: Chooser, *, tab: gr.Tab, chosen: gr.State, language: gr.Radio
) -> None:
    """Build the part below the lab."""
    first = next(iter(load_trainers().values()))
    words.make(gr.Markdown, {"value": "trainer_intro"})
    name = words.make(gr.Radio, {"label": "trainer_name"}, choices=_names(), value=first.name, elem_id="trainer-name")
    variants = {"choices": partial(_variants, first.name), "label": "trainer_variant"}
    variant = words.make(gr.Radio, {}, first=variants, value=first.key, elem_id="trainer-variant")
    told, rows = gr.HTML(elem_id="trainer"), gr.HTML(elem_id="trainer-rows")

    def choose(chosen_name: str, to: str) -> dict:
        variants = _variants(chosen_name, to)
        return gr.update(choices=variants, value=variants[0][1])

    def translate(chosen_name: str, to: str) -> dict:
        return gr.update(choices=_variants(chosen_name, to), label=say("trainer_variant", to))

    name.input(choose, [name, language], variant, trigger_mode="always_last", **QUICK)
    language.change(translate, [name, language], variant, **QUICK)
    chooser.on_change(
        lambda *values: show_trainer(shelf, *values), [variant], [told, rows], tab=tab, chosen=chosen, language=language
    )


def _names() -> list[str]:
    return list(dict.fromkeys(trainer.name for trainer in load_trainers().values()))


def _variants(name: str, language: str) -> list[tuple[str, str]]:
    variants = [trainer for trainer in load_trainers().values() if trainer.name == name]
    return [(trainer.texts[language]["variant"].replace("`", ""), trainer.key) for trainer in variants]
