"""The tab 학습: the settings and their arithmetic, what LoRA adds to the model, the run's history, and the adapter's growth."""

import threading
from dataclasses import replace

import gradio as gr

from newsft.data.rows import Split
from newsft.errors import UserError
from newsft.inference.types import Engine
from newsft.lessons import arithmetic
from newsft.models import lora
from newsft.models.hub import find_files, read_config
from newsft.page.chooser import explain
from newsft.page.html import lora as drawings
from newsft.page.html import training as views
from newsft.page.tabs.growth import build_growth
from newsft.page.tabs.history import build_history
from newsft.page.tabs.runs import build_runs
from newsft.page.texts import say
from newsft.page.words import QUICK, Words, waiting
from newsft.recipe import LINEAR, RECIPES, Recipe, from_record
from newsft.runs.runs import Runs

QUANTITIES = ("rows", "epochs", "batch_size", "accumulation", "processes")


class TrainingHandlers:
    """What the tab's events do. The rows are encoded once, when the tab is first opened (a few seconds)."""

    def __init__(self, engine: Engine, recipe: Recipe, split: Split):
        self.engine, self.rows, run = engine, split.train, engine.models.run
        self.source, self.adapter = recipe.model, recipe.adapter
        self.recipe, self.known = from_record(run["recipe"]) if run else recipe, None
        told = engine.adapters[0].settings if engine.adapters and not run else None
        if told:  # made elsewhere: only its own file tells of it
            own = {
                "lora_r": told["r"],
                "lora_alpha": told["alpha"],
                "lora_targets": tuple(str(told["targets"]).split()),
            }
            self.recipe, self.known = replace(recipe, **own), (*own, "model", "adapter")
        self._counted: arithmetic.RowTokens | None = None
        self._opened = False
        self._lock = threading.Lock()

    @property
    def counted(self) -> arithmetic.RowTokens:
        """The tokens of the training rows; UserError where a row does not fit."""
        with self._lock:
            if self._counted is None:
                limit = self.recipe.max_length
                self._counted = arithmetic.count_tokens(self.engine.chat, self.rows, max_length=limit)
            return self._counted

    def show(self, language: str, *quantities: float | None) -> list[str]:
        """Settings, arithmetic and LoRA, as they stand when the tab is opened."""
        self._opened = True
        return [
            views.format_settings(self.recipe, known=self.known, language=language),
            self.show_arithmetic(language, *quantities),
            self.show_lora(language),
        ]

    def show_again(self, language: str, *quantities: float | None) -> list:
        """The same in another language; nothing where nobody has opened the tab yet."""
        return self.show(language, *quantities) if self._opened else [gr.skip()] * 3

    def show_arithmetic(self, language: str, *quantities: float | None) -> str:
        """The formula with the quantities that were chosen, in the order of QUANTITIES."""
        try:
            chosen = dict(zip(QUANTITIES, quantities, strict=True))
            run = arithmetic.compute(self.recipe, self.counted, **chosen)
        except UserError as error:
            if error.key == "quantity":  # the name in the reader's language
                error.values["name"] = say(f"quantity_{error.values['name']}", language)
            return explain(error, language)
        return views.format_arithmetic(run, available=len(self.rows), language=language)

    def show_lora(self, language: str) -> str:
        """The matrices for the loaded model and for VARCO's shape, and the norms of what the adapter adds."""
        settings = {"rank": self.recipe.lora_r, "alpha": self.recipe.lora_alpha, "targets": self.recipe.lora_targets}
        config = read_config(self.source)
        parts = []
        if config and self.source != RECIPES["varco"].model:
            try:
                shape = lora.measure_shape(lora.read_shape(config), **settings)
            except (
                ValueError
            ):  # a kind of model that this transformers has no class for; the tokenizer's source beside a server
                shape = None
            if shape and shape.targets:
                parts.append(drawings.format_shape(shape, heading=say("lora_loaded", language), language=language))
        varco = RECIPES["varco"]
        settings = {"rank": varco.lora_r, "alpha": varco.lora_alpha, "targets": varco.lora_targets}
        shape = lora.measure_shape(lora.read_shape(lora.VARCO_SHAPE), **settings)
        parts.append(drawings.format_shape(shape, heading=say("lora_varco", language), language=language))
        return f"{''.join(parts)}{self._show_norms(language)}"

    def _show_norms(self, language: str) -> str:
        if self.engine.models.adapter_fingerprint is None:  # none is loaded here
            return f'<p class="footer">{say("lora_no_norms", language)}</p>'
        found = lora.measure_norms(find_files(self.adapter, what="adapter"))
        norms = {name: found[name] for name in dict.fromkeys((*LINEAR, *found)) if name in found}  # as in the model
        return drawings.format_norms(norms, language=language) if norms else ""


def build_training_tab(
    engine: Engine,
    recipe: Recipe,
    split: Split,
    words: Words,
    *,
    page: gr.Blocks,
    system_prompt: str,
    runs: Runs | str,
    reader: gr.BrowserState,
    tab: gr.Tab,
    language: gr.Radio,
) -> None:
    """Build the tab; `system_prompt` is the one that the adapter was trained with, `runs` as for `build_page`."""
    handlers = TrainingHandlers(engine, recipe, split)
    words.make(gr.Markdown, {"value": "training_intro"})
    words.make(gr.Markdown, {"value": "arithmetic_intro"})
    quantities = _build_quantities(words, handlers)
    formula = words.make(gr.HTML, {}, first={"value": waiting("loading_rows")}, elem_id="arithmetic")
    with words.make(gr.Accordion, {"label": "settings_title"}, open=False, elem_id="settings"):
        words.make(gr.Markdown, {"value": "settings_intro"})
        settings = gr.HTML()
    with words.make(gr.Accordion, {"label": "lora_title"}, open=True, elem_id="lora"):
        words.make(gr.Markdown, {"value": "lora_intro"})
        shapes = gr.HTML()
    build_history(engine, words, tab=tab, language=language)
    asked = {"page": page, "system_prompt": system_prompt, "rows": split.test, "adapter": recipe.adapter}
    build_growth(engine, words, **asked, tab=tab, language=language)
    build_runs(engine, runs, words, reader=reader, tab=tab, language=language)

    shown = [settings, formula, shapes]
    tab.select(handlers.show, [language, *quantities], shown, **QUICK)
    language.change(handlers.show_again, [language, *quantities], shown, **QUICK)
    # One listener for all of them: with several, the answer to an earlier change could arrive last and replace the newest.
    changes = [box.input for box in quantities]
    gr.on(changes, handlers.show_arithmetic, [language, *quantities], formula, trigger_mode="always_last", **QUICK)


def _build_quantities(words: Words, handlers: TrainingHandlers) -> list[gr.Number]:
    recipe, rows = handlers.recipe, len(handlers.rows)
    first = {"rows": rows, "epochs": max(int(recipe.epochs), 1), "processes": 1}
    first |= {"batch_size": recipe.batch_size, "accumulation": recipe.accumulation}
    with gr.Row(elem_id="quantities"):
        return [
            words.make(
                gr.Number,
                {"label": f"quantity_{name}"},
                value=first[name],
                precision=0,  # no minimum: Gradio would refuse a 0 in English, before it is asked here
                min_width=100,
                elem_id=f"quantity-{name.replace('_', '-')}",
            )
            for name in QUANTITIES
        ]
