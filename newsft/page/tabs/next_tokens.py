"""The part 다음에 올 토큰 of the tab 답변 비교: at any place of an answer, what base and tuned hold for likeliest, and where the two part."""

from typing import NamedTuple

import gradio as gr

from newsft.errors import UserError
from newsft.inference.types import SIDES, Comparison, NextTokens, ScoringEngine
from newsft.page.chooser import explain, explain_failure
from newsft.page.html.next_tokens import format_place
from newsft.page.sessions import MODEL
from newsft.page.texts import say
from newsft.page.words import QUICK, Words

FEWEST_PLACES = 2  # Gradio refuses a slider that has but one


class NextTokenHandlers:
    """What the part's events do; `outputs` are what was seen, the place, the button that goes to the parting, and the HTML, in this order."""

    def __init__(self, engine: ScoringEngine):
        self.engine = engine

    def look(self, finished: Comparison | None, side: str, language: str) -> list:
        """Read one side's answer through both models, and show its first place. What goes wrong stands in the HTML's place."""
        try:
            if finished is None:
                raise UserError("Compare first: there is no finished answer yet.", key="next_nothing")
            seen = self.engine.look_ahead(finished, side)
        except UserError as error:
            return [*self.hide()[:3], explain(error, language)]
        except (RuntimeError, MemoryError):
            return [*self.hide()[:3], explain_failure("look at the next tokens", language)]
        place = gr.update(maximum=max(len(seen.ids) + 1, FEWEST_PLACES), value=1, visible=True)
        parting = gr.update(visible=True, interactive=seen.parts is not None)
        return [seen, place, parting, self.show(seen, 1, language)]

    def show(self, seen: NextTokens | None, place: float, language: str) -> str:
        """The chosen place, counted from 1."""
        if seen is None:
            return ""
        number = min(max(int(place or 1), 1), len(seen.ids) + 1)
        return format_place(seen, number - 1, self.engine.chat, language=language)

    def go_to_parting(self, seen: NextTokens | None, place: float, language: str) -> list:
        """The first place at which the two disagree; where they never do, the place stays."""
        if seen is not None and seen.parts is not None:
            place = seen.parts + 1
        return [place, self.show(seen, place, language)]

    def hide(self) -> list:
        """Nothing is looked at: another comparison begins, or the article is cleared."""
        return [None, gr.update(visible=False), gr.update(visible=False), ""]


class NextTokenPart(NamedTuple):
    """What the comparison's own events have to empty, and how."""

    outputs: list
    handlers: NextTokenHandlers


def build_next_tokens(
    engine: ScoringEngine, words: Words, *, finished: gr.State, language: gr.Radio
) -> NextTokenPart | None:
    """Build the part; where another server has the weights, a sentence that says what is missing, and None."""
    with words.make(gr.Accordion, {"label": "next_title"}, open=False, elem_id="next"):
        if not engine.capabilities.token_loss:
            words.make(gr.Markdown, {"value": "no_next_served"})
            return None
        words.make(gr.Markdown, {"value": "next_intro"})
        handlers, seen = NextTokenHandlers(engine), gr.State(None)
        with gr.Row(elem_id="next-row"):
            sides = {"label": "next_answer", "choices": lambda to: [(say(side, to), side) for side in SIDES]}
            side = words.make(gr.Radio, sides, value="tuned", elem_id="next-side")
            look = words.make(gr.Button, {"value": "next_look"}, elem_id="next-look")
        place = words.make(
            gr.Slider,
            {"label": "next_slider"},
            minimum=1,
            maximum=FEWEST_PLACES,
            step=1,
            visible=False,
            elem_id="next-place",
        )
        parting = words.make(gr.Button, {"value": "next_go"}, visible=False, elem_id="next-parting")
        view = gr.HTML(elem_id="next-view")
    outputs = [seen, place, parting, view]
    model = {"show_progress": "hidden", "api_visibility": "private"} | MODEL
    look.click(handlers.look, [finished, side, language], outputs, **model)
    side.input(handlers.hide, None, outputs, **QUICK)
    latest = {"trigger_mode": "always_last"} | QUICK
    gr.on([place.input, language.change], handlers.show, [seen, place, language], view, **latest)
    parting.click(handlers.go_to_parting, [seen, place, language], [place, view], **QUICK)
    return NextTokenPart(outputs, handlers)
