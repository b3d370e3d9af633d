"""The part 어댑터가 자라는 모습 of the tab 학습: one article answered at every kept step of the training, and how well each step does."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from newsft.errors import UserError
from newsft.evaluation.answer import Answer, read_answer
from newsft.evaluation.comparison import GoldAnswers
from newsft.evaluation.fields import compare_fields
from newsft.evaluation.growth import read_curve
from newsft.inference.types import Comparison, Engine
from newsft.lessons.conversations import pick_row
from newsft.models.hub import find_files
from newsft.page.chooser import explain
from newsft.page.html import growth as views
from newsft.page.plots import plot_growth
from newsft.page.sessions import MODEL, Stops, refuse_when_full
from newsft.page.tabs.history import LOOK
from newsft.page.texts import say, say_error
from newsft.page.words import QUICK, Words

FRAME_SECONDS = 0.3  # between two updates of the table, multiplied by the number of those who are being answered
FIRST_ROW = 12  # of the lesson's five test rows the first that names a company
MEASURES = ("readable", "stock_f1", "words_in_article")


class GrowthHandlers:
    """What the part's events do. `rows` are the test split: an article that is one of them has a gold answer."""

    def __init__(self, engine: Engine, *, page: gr.Blocks, system_prompt: str, rows: Sequence[dict]):
        self.engine, self.page, self.system_prompt, self.rows = engine, page, system_prompt, rows
        self.growth = engine.capabilities.growth
        self._gold = GoldAnswers(rows)
        self.stops = Stops()

    def read(self, comparison: Comparison) -> list[views.StepAnswer]:
        """The base's answer and every step's, read and compared with the gold answer where there is one."""
        news = comparison.prompt.news
        _, gold = self._gold.find(news)
        found = []
        for step, side in {None: "base", **self.growth}.items():
            stream = comparison.answers[side]
            answer = read_answer(stream.text) if stream.reason else Answer()
            found.append(views.StepAnswer(step, stream, answer, compare_fields(answer, gold or Answer(), news), gold))
        return found

    def start(self, language: str, request: gr.Request) -> list:
        """Swap the buttons and clear what stands there; from here on it can be stopped, in the queue too."""
        refuse_when_full(self.page, "growth_ask", language)
        self.stops.press(request.session_hash)
        queued = f'<p class="waiting">{say("queued", language)}</p>'
        return [gr.update(interactive=False), gr.update(interactive=True), queued, "", None, language]

    def run(self, news: str, language: str, request: gr.Request) -> Iterator[list]:
        """Let the table grow; the last yield also holds the finished answers. What goes wrong stands in the table's place."""
        shown, last = 0.0, None
        try:
            with self.stops.run(request.session_hash) as flag:
                for last in self.engine.grow(news, system_prompt=self.system_prompt, stop=flag):
                    if not last.done and time.monotonic() - shown >= FRAME_SECONDS * self.engine.askers:
                        shown = time.monotonic()
                        yield [views.format_strip(self.read(last), language=language), None]
            yield [views.format_strip(self.read(last), language=language), last]
        except UserError as error:
            yield [explain(error, language), None]
        except (RuntimeError, MemoryError):  # the model's own failures, out of memory among them
            logging.getLogger(__name__).exception("the growth failed")
            yield [f'<p class="problem" role="alert">{say("error_failed", language)}</p>', None]

    def stop(self, request: gr.Request) -> None:
        """Stop this browser tab's answers, no other's."""
        self.stops.stop(request.session_hash)

    def show_pair(self, finished: Comparison | None, step: int, language: str) -> str:
        """The base beside the chosen step; empty where nothing was answered yet."""
        if finished is None:
            return ""
        base, *steps = self.read(finished)
        chosen = next(one for one in steps if one.step == step)
        return views.format_pair(base, chosen, language=language)

    def translate(self, finished: Comparison | None, step: int, language: str) -> list:
        """Table and pair in another language."""
        if finished is None:
            return ["", ""]
        return [views.format_strip(self.read(finished), language=language), self.show_pair(finished, step, language)]

    def show_end(self, finished: Comparison | None, step: int, language: str, spoken: str | None) -> list:
        """Both answers of the chosen step, and the strip again where the reader has switched the language meanwhile."""
        strip, pair = self.translate(finished, step, language)
        return [gr.skip() if language == spoken else strip, pair]

    def load_row(self, number: float | None, language: str) -> str | dict:
        """The article of a test row, for the news box."""
        try:
            return [message["content"] for message in pick_row(self.rows, number) if message["role"] == "user"][-1]
        except UserError as error:
            gr.Warning(say_error(error, language), title=say("growth_ask", language))
            return gr.skip()


def build_growth(
    engine: Engine,
    words: Words,
    *,
    page: gr.Blocks,
    system_prompt: str,
    rows: list[dict],
    adapter: str,
    tab: gr.Tab,
    language: gr.Radio,
) -> None:
    """Build the part; where the adapter was kept at no step, a sentence that says how to get one that was."""
    words.make(gr.Markdown, {"value": "growth_intro"})
    if not engine.capabilities.growth:
        key = "no_growth" if engine.capabilities.same_weights else "no_growth_served"
        words.make(gr.Markdown, {"value": key}, elem_id="growth")
        return
    handlers = GrowthHandlers(engine, page=page, system_prompt=system_prompt, rows=rows)
    with gr.Row(elem_id="growth-row"):
        label = {"label": lambda to: say("test_row", to, last=len(rows) - 1)}
        first = min(FIRST_ROW, len(rows) - 1)
        number = words.make(gr.Number, label, value=first, precision=0, elem_id="growth-number")
        load = words.make(gr.Button, {"value": "test_row_load"}, elem_id="growth-load")
    said = {"label": "news", "placeholder": "news_placeholder"}
    news = words.make(gr.Textbox, said, value=rows[first]["user_prompt"], lines=3, max_lines=7, elem_id="growth-news")
    with gr.Row(elem_id="growth-buttons"):
        ask = words.make(gr.Button, {"value": "growth_ask"}, variant="primary", elem_id="grow")
        stop = words.make(gr.Button, {"value": "stop"}, variant="stop", elem_id="grow-stop", interactive=False)
    strip = gr.HTML(elem_id="growth")
    names = {"label": "growth_choose", "choices": lambda to: _name_steps(handlers.growth, to)}
    step = words.make(gr.Radio, names, value=list(handlers.growth)[-1], elem_id="growth-step")
    pair, finished = gr.HTML(elem_id="growth-pair"), gr.State(None)
    spoken = gr.State(None)  # the language in which the answers that run are shown

    started = ask.click(handlers.start, language, [ask, stop, strip, pair, finished, spoken], **QUICK)
    streamed = {"show_progress": "hidden", "api_visibility": "private"} | MODEL
    running = started.success(handlers.run, [news, language], [strip, finished], **streamed)
    for ended in (running.success, running.failure):  # failure: the queue or the web server refused it
        ended(_end, None, [ask, stop], **QUICK)
    running.success(handlers.show_end, [finished, step, language, spoken], [strip, pair], **QUICK)
    page.unload(handlers.stop)
    stop.click(handlers.stop, None, None, **QUICK)
    step.input(handlers.show_pair, [finished, step, language], pair, trigger_mode="always_last", **QUICK)
    language.change(handlers.translate, [finished, step, language], [strip, pair], **QUICK)
    can_warn = QUICK | {"queue": True, "concurrency_limit": None}  # only queued events can show a warning
    gr.on([load.click, number.submit], handlers.load_row, [number, language], news, **can_warn)
    _build_curve(engine, words, adapter=adapter, tab=tab, language=language)


def _build_curve(engine: Engine, words: Words, *, adapter: str, tab: gr.Tab, language: gr.Radio) -> None:
    """The measures over the steps, as a plot and as a table; a sentence with the command where they were not computed."""
    words.make(gr.Markdown, {"value": "curve_intro"})
    try:
        curve, problem = read_curve(find_files(adapter, what="adapter")), None
    except UserError as error:
        curve, problem = None, error
    if curve is None:
        words.make(gr.HTML, {"value": lambda to: explain(problem, to) if problem else f"<p>{say('no_curve', to)}</p>"})
        return
    fits = curve["settings"]["adapter_fingerprint"] == engine.models.adapter_fingerprint
    plot = words.make(gr.LinePlot, {"label": "curve_title"}, elem_id="growth-plot", **LOOK)
    words.make(
        gr.HTML, {"value": lambda to: views.format_curve(curve, MEASURES, fits=fits, language=to)}, elem_id="curve"
    )

    def show(to: str) -> Any:
        return gr.LinePlot(**plot_growth(curve["points"], MEASURES, language=to))

    gr.on([tab.select, language.change], show, language, plot, trigger_mode="always_last", **QUICK)


def _name_steps(steps: Sequence[int], language: str) -> list[tuple[str, int]]:
    return [(views.name_step(step, language), step) for step in steps]


def _end() -> list:
    return [gr.update(interactive=True), gr.update(interactive=False)]
