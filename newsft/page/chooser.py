"""Choosing the conversation and the tokenizer that a lesson tab shows; every such tab has its own, kept in step by a state."""

import logging
from collections.abc import Callable
from html import escape

import gradio as gr

from newsft.errors import UserError
from newsft.lessons.conversations import TOY
from newsft.lessons.source import SOURCES, TOKENIZERS, Shelf
from newsft.page.texts import DEFAULT_LANGUAGE, say, say_error

QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


class Chooser:
    """The components, in `inputs`; `translations` as every tab gives them."""

    def __init__(self, shelf: Shelf, *, name: str):
        self.name, self.opened = name, None
        lang, numbers = DEFAULT_LANGUAGE, {"last": len(shelf.rows) - 1, "train": shelf.tests}
        with gr.Row(elem_classes="chooser"):
            self.tokenizer = gr.Radio(_choices("tokenizer", TOKENIZERS, lang), value="llama3", label=say("tokenizer", lang), elem_id=f"{name}-tokenizer")
            self.source = gr.Radio(_choices("source", SOURCES, lang), value="toy", label=say("source", lang), elem_id=f"{name}-source")
            self.number = gr.Number(0, label=say("row_number", lang, **numbers), precision=0, visible=False, elem_id=f"{name}-number")
        with gr.Column(visible=False, elem_classes="own-text") as self.own:
            self.texts = [gr.Textbox(TOY[i]["content"], label=say(f"role_{role}", lang), lines=2, max_lines=8, elem_id=f"{name}-{role}") for i, role in enumerate(("system", "user", "assistant"))]
        self.source.change(lambda source: [gr.update(visible=source == "row"), gr.update(visible=source == "own")], self.source, [self.number, self.own], **QUICK)
        self.inputs = [self.tokenizer, self.source, self.number, *self.texts]
        self.translations = [
            (self.tokenizer, lambda to: gr.update(label=say("tokenizer", to), choices=_choices("tokenizer", TOKENIZERS, to))),
            (self.source, lambda to: gr.update(label=say("source", to), choices=_choices("source", SOURCES, to))),
            (self.number, lambda to: gr.update(label=say("row_number", to, **numbers))),
            *[(box, lambda to, role=role: gr.update(label=say(f"role_{role}", to))) for box, role in zip(self.texts, ("system", "user", "assistant"), strict=True)],
        ]

    def on_change(self, show: Callable, more: list, outputs: list, *, tab: gr.Tab, chosen: gr.State, language: gr.Radio) -> None:
        """Call `show(language, *inputs, *more)` whenever something is chosen, the tab is opened or the language changes.

        `chosen` carries the choice from tab to tab, so that one row can be followed through all of them.
        """
        if self.opened is None:  # a tab may show several things of one choice
            # How often the reader has opened the tab: what nobody sees is not computed anew. No gr.State, whose change is not told outside the queue.
            self.opened = gr.Number(0, visible="hidden", elem_id=f"{self.name}-opened")
            tab.select(_restore, [chosen, *self.inputs], self.inputs, **QUICK).then(lambda times: times + 1, self.opened, self.opened, **QUICK)
            gr.on([component.change for component in self.inputs], lambda *values: list(values), self.inputs, chosen, **QUICK)
        opened = self.opened
        events = [component.input for component in self.inputs[:3]] + [component.change for component in (*more, opened, language)]
        for box in self.texts:
            events += [box.submit, box.blur]
        # One listener for all: of several, an earlier answer could arrive after a later one and stay. By default it would drop quick changes.
        gr.on(events, lambda times, *values: show(*values) if times else _skip(outputs), [opened, language, *self.inputs, *more], outputs, trigger_mode="always_last", **QUICK)


def explain(what: UserError | list[str], language: str) -> str:
    """An error, or what was changed in one's own text, as a paragraph; empty where there is nothing to say."""
    if isinstance(what, UserError):
        return f'<p class="problem" role="alert">{escape(say_error(what, language))}</p>'
    return f'<p class="footer">{" ".join(say(f"changed_{change}", language) for change in what)}</p>' if what else ""


def explain_failure(what: str, language: str) -> str:
    """What the page says where the model itself failed, out of memory among the reasons; the log has the whole of it."""
    logging.getLogger(__name__).exception("the %s failed", what)
    return f'<p class="problem" role="alert">{say("error_model", language)}</p>'


def _skip(outputs: list) -> dict | list[dict]:
    return gr.skip() if len(outputs) == 1 else [gr.skip()] * len(outputs)


def _restore(chosen: list | None, *current) -> list:
    return chosen if chosen else list(current)


def _choices(what: str, names: tuple[str, ...], language: str) -> list[tuple[str, str]]:
    return [(say(f"{what}_{name}", language), name) for name in names]
