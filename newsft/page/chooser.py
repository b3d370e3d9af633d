"""Choosing the conversation and the tokenizer that a lesson tab shows; every such tab has its own, kept in step by a state."""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape

import gradio as gr

from newsft.errors import UserError
from newsft.lessons.conversations import TOY
from newsft.lessons.source import SOURCES, TOKENIZERS, Shelf
from newsft.page.texts import say, say_error
from newsft.page.words import QUICK, Words

ROLES = ("system", "user", "assistant")


class Chooser:
    """The components, in `inputs`: the tokenizer, the source, a row's number and one's own three texts."""

    def __init__(self, shelf: Shelf, words: Words, *, name: str):
        self.name, self.opened = name, None
        last, train = len(shelf.rows) - 1, shelf.tests
        with gr.Row(elem_classes="chooser"):
            tokenizers, sources = _choices("tokenizer", TOKENIZERS), _choices("source", SOURCES)
            self.tokenizer = words.make(gr.Radio, tokenizers, value="llama3", elem_id=f"{name}-tokenizer")
            self.source = words.make(gr.Radio, sources, value="toy", elem_id=f"{name}-source")
            label = {"label": lambda to: say("row_number", to, last=last, train=train)}
            self.number = words.make(gr.Number, label, value=0, precision=0, visible=False, elem_id=f"{name}-number")
        with gr.Column(visible=False, elem_classes="own-text") as self.own:
            look, self.texts = {"lines": 2, "max_lines": 8}, []
            for role, message in zip(ROLES, TOY, strict=True):
                text = {"value": message["content"], "elem_id": f"{name}-{role}"}
                self.texts.append(words.make(gr.Textbox, {"label": f"role_{role}"}, **text, **look))
        shown = [self.number, self.own]
        self.source.change(_show_inputs, self.source, shown, **QUICK)
        self.inputs = [self.tokenizer, self.source, self.number, *self.texts]

    def on_change(
        self,
        show: Callable,
        more: list,
        outputs: list,
        *,
        tab: gr.Tab,
        chosen: gr.State,
        language: gr.Radio,
        also: Sequence[gr.State] = (),
    ) -> None:
        """Call `show(language, *inputs, *more, *also)` whenever something is chosen, the tab is opened or the language changes; a change of `also` calls nothing.

        `chosen` carries the choice from tab to tab, so that one row can be followed through all of them.
        """
        if self.opened is None:  # the first call of several: a tab may show several things of one choice
            # Counts how often the tab was opened; as long as it is 0, nothing is computed. Not a gr.State: its change event fires in the queue only.
            self.opened = gr.Number(0, visible="hidden", elem_id=f"{self.name}-opened")
            tab.select(_restore, [chosen, *self.inputs], self.inputs, **QUICK).then(
                lambda times: times + 1, self.opened, self.opened, **QUICK
            )
            changes = [component.change for component in self.inputs]
            gr.on(changes, lambda *values: list(values), self.inputs, chosen, **QUICK)
        opened = self.opened

        def show_opened(times: float, *values):
            return show(*values) if times else _skip(outputs)

        events = [component.input for component in self.inputs[:3]] + [
            component.change for component in (*more, opened, language)
        ]
        for box in self.texts:
            events += [box.submit, box.blur]
        # One listener for all events: with several, the answer to an earlier choice could arrive last and replace the newest. By default it would drop changes during a run.
        inputs = [opened, language, *self.inputs, *more, *also]
        gr.on(events, show_opened, inputs, outputs, trigger_mode="always_last", **QUICK)


def explain(what: UserError | list[str], language: str) -> str:
    """An error, or what was changed in one's own text, as a paragraph; empty where there is nothing to say."""
    if isinstance(what, UserError):
        return f'<p class="problem" role="alert">{escape(say_error(what, language))}</p>'
    return f'<p class="footer">{" ".join(say(f"changed_{change}", language) for change in what)}</p>' if what else ""


def explain_errors(*, more: int = 0) -> Callable[[Callable], Callable]:
    """Decorate a function of (shelf, language, ...) that makes HTML: a UserError stands in the place of its first output, `more` others are empty."""

    def decorate(show: Callable) -> Callable:
        @wraps(show)
        def explained(shelf: Shelf, language: str, *values) -> str | list[str]:
            try:
                return show(shelf, language, *values)
            except UserError as error:
                return [explain(error, language), *[""] * more] if more else explain(error, language)

        return explained

    return decorate


def explain_failure(what: str, language: str) -> str:
    """What the page says where the model itself failed, out of memory among the reasons; the log has the whole of it."""
    logging.getLogger(__name__).exception("the %s failed", what)
    return f'<p class="problem" role="alert">{say("error_model", language)}</p>'


def _show_inputs(source: str) -> list[dict]:
    """The row's number or the three texts, where they are what is chosen."""
    return [gr.update(visible=source == "row"), gr.update(visible=source == "own")]


def _skip(outputs: list) -> dict | list[dict]:
    return gr.skip() if len(outputs) == 1 else [gr.skip()] * len(outputs)


def _restore(chosen: list | None, *current) -> list:
    return chosen if chosen else list(current)


def _choices(what: str, names: tuple[str, ...]) -> dict:
    return {"label": what, "choices": lambda to: [(say(f"{what}_{name}", to), name) for name in names]}
