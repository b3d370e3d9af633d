"""The part of the tab 고장 실험실 that asks what one's own trainer would make of the row."""

from datetime import UTC, datetime

import gradio as gr

from newsft.encoding import tokens
from newsft.errors import UserError
from newsft.lessons.conversations import COMPARED_TOKENS, check_length
from newsft.lessons.inspect import changed_positions, find_differences
from newsft.lessons.source import Shelf
from newsft.lessons.trainers import load_trainers, prepare_row
from newsft.page.chooser import QUICK, Chooser, explain
from newsft.page.html import trainers as views
from newsft.page.languages import First
from newsft.page.texts import DEFAULT_LANGUAGE, say

NO_LIMIT = 10**9


def show_trainer(shelf: Shelf, language: str, tokenizer_name: str, *values) -> list[str]:
    """What the chosen trainer does, and the two rows; `values` are the choice of the conversation and the entry's key."""
    *choice, key = values
    trainer = load_trainers()[key]
    try:
        chat = shelf.chat(tokenizer_name)
        messages, _ = shelf.messages(*choice)
        ours, today = chat.encode_row(messages), datetime.now(UTC).date()
        check_length(len(ours), limit=COMPARED_TOKENS)
        whole = prepare_row(trainer, chat, messages, today=today, limit=NO_LIMIT)
        check_length(len(whole or ours), limit=COMPARED_TOKENS)
        theirs = prepare_row(trainer, chat, messages, today=today)
    except UserError as error:
        return [explain(error, language), ""]
    over = {"count": len(whole), "limit": trainer.limit} if whole and trainer.limit and len(whole) > trainer.limit else None
    lost, changed = changed_positions(ours, theirs) if theirs else ([], [])
    told = views.format_trainer(trainer, find_differences(chat, ours, theirs) if theirs else [], over=over, language=language)
    read = tokens.read_tokens(chat, theirs) if theirs else None
    return [told, views.format_rows(trainer, tokens.read_tokens(chat, ours), read, lost=lost, changed=changed, language=language)]


def build_trainers(shelf: Shelf, chooser: Chooser, *, tab: gr.Tab, chosen: gr.State, language: gr.Radio) -> list[tuple]:
    """Build the part below the lab; returns (component, language -> update) as every tab does."""
    lang, first = DEFAULT_LANGUAGE, next(iter(load_trainers().values()))
    intro = gr.Markdown(say("trainer_intro", lang))
    name = gr.Radio(_names(), value=first.name, label=say("trainer_name", lang), elem_id="trainer-name")
    variant = gr.Radio(_variants(first.name, lang), value=first.key, label=say("trainer_variant", lang), elem_id="trainer-variant")
    told, rows = gr.HTML(elem_id="trainer"), gr.HTML(elem_id="trainer-rows")
    name.input(lambda chosen_name, to: gr.update(choices=_variants(chosen_name, to), value=_variants(chosen_name, to)[0][1]), [name, language], variant, **QUICK)
    language.change(lambda chosen_name, to: gr.update(choices=_variants(chosen_name, to), label=say("trainer_variant", to)), [name, language], variant, **QUICK)
    chooser.on_change(lambda *values: show_trainer(shelf, *values), [variant], [told, rows], tab=tab, chosen=chosen, language=language)
    return [
        (intro, lambda to: gr.update(value=say("trainer_intro", to))),
        (name, lambda to: gr.update(label=say("trainer_name", to))),
        First(variant, lambda to: gr.update(choices=_variants(first.name, to), label=say("trainer_variant", to))),
    ]


def _names() -> list[str]:
    return list(dict.fromkeys(trainer.name for trainer in load_trainers().values()))


def _variants(name: str, language: str) -> list[tuple[str, str]]:
    return [(trainer.texts[language]["variant"].replace("`", ""), trainer.key) for trainer in load_trainers().values() if trainer.name == name]
