"""The part 손실 of the tab 학습: what the run that made the adapter has written down of every step, as a plot and as a table."""

from typing import Any

import gradio as gr

from newsft.inference.types import Engine
from newsft.page.html.history import format_history, format_origin
from newsft.page.plots import X, Y, list_quantities, plot_history
from newsft.page.texts import say
from newsft.page.words import QUICK, Words

# Without a height of our own and without a label, beside which Gradio leaves no room for the legend.
LOOK = {"x": X, "y": Y, "show_label": False, "buttons": ["fullscreen", "export"]}


def build_history(engine: Engine, words: Words, *, tab: gr.Tab, language: gr.Radio) -> None:
    """Build the part; where the adapter has no record of its run, a sentence that says so."""
    run = engine.models.run
    quantities = list_quantities(run)
    words.make(gr.Markdown, {"value": "history_intro"})
    if not quantities:
        words.make(gr.HTML, {"value": lambda to: f'<p class="footer">{say("no_history", to)}</p>'}, elem_id="history")
        return
    kept = find_kept(engine)
    words.make(gr.HTML, {"value": lambda to: format_origin(run, quantities, language=to)}, elem_id="history")
    choices = {
        "label": "quantity",
        "choices": lambda to: [(say(f"quantity_{name}", to), name) for name in quantities],
    }
    chosen = words.make(gr.Radio, choices, value=quantities[0], elem_id="quantity")
    label = {"label": "history_plot"}
    plot = words.make(gr.LinePlot, label, elem_id="history-plot", **LOOK)
    with words.make(gr.Accordion, {"label": "history_table"}, open=False, elem_id="history-table"):
        words.make(gr.HTML, {"value": lambda to: format_history(run, quantities, kept=kept, language=to)})

    def show(name: str, to: str) -> Any:
        return gr.LinePlot(**plot_history(run, name, kept=kept, language=to))

    gr.on(
        [tab.select, chosen.input, language.change], show, [chosen, language], plot, trigger_mode="always_last", **QUICK
    )


def find_kept(engine: Engine) -> list[int]:
    """The steps at which the run has kept an adapter: those of its growth, or else its checkpoints."""
    run = engine.models.run
    if engine.capabilities.steps:
        return list(engine.capabilities.steps)
    every = run["recipe"]["save_every"]
    return [*range(every, run["steps"], every), run["steps"]]
