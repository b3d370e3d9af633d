"""The tab 답변 비교: paste or choose an article, both answers stream side by side."""

import json
import logging
import threading
import time
from collections.abc import Iterator

import gradio as gr

from newsft import answers
from newsft.engine import Comparison, Engine
from newsft.errors import UserError
from newsft.recipe import ASSETS
from newsft.texts import DEFAULT_LANGUAGE, say, say_error
from newsft.views import compare as views

FRAME_SECONDS = 0.06  # between two updates of the page; more often costs the browser more than the eye gains
EXAMPLES = ASSETS / "examples.json"
QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
MODEL = {"concurrency_id": "model", "concurrency_limit": 1}  # everything that runs the model takes turns


class CompareHandlers:
    """What the tab's events do; `outputs` of every handler are the columns and the footer, in this order."""

    def __init__(self, engine: Engine, *, system_prompt: str):
        self.engine, self.system_prompt = engine, system_prompt
        self._stops: dict[str, threading.Event] = {}  # one per waiting or running comparison, by browser session

    def show(self, comparison: Comparison, article: str, language: str) -> list[str]:
        """The columns and the footer as they are now."""
        columns = [
            views.format_side(side, answer.text, language=language, article=article, tokens=answer.tokens, seconds=answer.seconds, reason=answer.reason, waiting="queued")
            for side, answer in comparison.answers.items()
        ]
        return [*columns, views.format_footer(prompt_tokens=comparison.prompt_tokens, changes=comparison.changes, language=language)]

    def blank(self, language: str, *, waiting: str = "waiting") -> list[str]:
        """Empty columns and footer."""
        return [*[views.format_side(side, "", language=language, waiting=waiting) for side in self.engine.sides], ""]

    def run(self, article: str, system_prompt: str, language: str, request: gr.Request) -> Iterator[list]:
        """Stream both answers; the last yield also holds the finished comparison."""
        flag, shown = self._stops.setdefault(request.session_hash, threading.Event()), 0.0
        try:
            for comparison in self.engine.compare(article, system_prompt=system_prompt, stop=flag):
                if comparison.done or time.monotonic() - shown >= FRAME_SECONDS:
                    shown = time.monotonic()
                    yield [*self.show(comparison, article, language), (comparison, article) if comparison.done else None]
        except UserError as error:
            # Not gr.Error: after a failed event Gradio does not run the next one, and the buttons would stay as they are.
            gr.Warning(say_error(error, language), title=say("tab_compare", language))
            yield [*self.blank(language), None]
        except (RuntimeError, MemoryError):  # the model's own failures, out of memory among them
            logging.getLogger(__name__).exception("the comparison failed")
            gr.Warning(say("error_failed", language), title=say("tab_compare", language))
            yield [*self.blank(language), None]
        finally:
            flag.set()  # a browser that leaves closes this generator: the engine stops at its next token
            if self._stops.get(request.session_hash) is flag:
                del self._stops[request.session_hash]

    def start(self, language: str, request: gr.Request) -> list:
        """Swap the buttons and clear the columns; from here on the comparison can be stopped, in the queue too."""
        self._stops[request.session_hash] = threading.Event()
        return [gr.update(interactive=False), gr.update(interactive=True), *self.blank(language, waiting="queued")]

    def stop(self, request: gr.Request) -> None:
        """Stop the comparison of this browser tab, no other."""
        if flag := self._stops.get(request.session_hash):
            flag.set()

    def translate(self, language: str, finished: tuple[Comparison, str] | None) -> list[str]:
        """Say the finished comparison again in another language."""
        return self.show(*finished, language) if finished else self.blank(language)

    def answer(self, news: str, system_prompt: str | None = None) -> dict:
        """Both models' answers to a news text: per side the text, the eight fields as far as they could be read, and why it ended."""
        try:
            *_, last = self.engine.compare(news, system_prompt=self.system_prompt if system_prompt is None else system_prompt)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return describe(last)


def build_compare_tab(engine: Engine, *, language: gr.Radio, system_prompt: str) -> list[tuple]:
    """Build the tab; returns (component, language -> update) for everything whose label the language switch changes."""
    handlers, articles, lang = CompareHandlers(engine, system_prompt=system_prompt), json.loads(EXAMPLES.read_text(encoding="utf-8")), DEFAULT_LANGUAGE

    samples = [[article["title"]] for article in articles]
    examples = gr.Dataset(label=say("examples", lang), components=[gr.Textbox(visible=False)], samples=samples, samples_per_page=len(samples), type="index", layout="gallery", elem_id="examples")
    news = gr.Textbox(label=say("news", lang), placeholder=say("news_placeholder", lang), lines=7, max_lines=16, elem_id="news")
    with gr.Row(elem_id="buttons"):
        compare = gr.Button(say("compare", lang), variant="primary", elem_id="compare")
        stop = gr.Button(say("stop", lang), variant="stop", elem_id="stop", interactive=False)
        clear = gr.Button(say("clear", lang), elem_id="clear")
    *columns, line = handlers.blank(lang)
    with gr.Row(elem_id="answers", equal_height=False):
        sides = [gr.HTML(column, elem_id=side) for side, column in zip(engine.sides, columns, strict=True)]
    outputs = [*sides, gr.HTML(line, elem_id="footer")]
    with gr.Accordion(say("system_prompt", lang), open=False, elem_id="system-prompt") as accordion:
        note = gr.Markdown(say("system_prompt_note", lang))
        prompt = gr.Textbox(value=system_prompt, label=say("system_prompt", lang), show_label=False, lines=5, max_lines=12, container=False)
        reset = gr.Button(say("reset", lang), size="sm")
    finished = gr.State(None)  # the last complete comparison and its article

    started = compare.click(handlers.start, language, [compare, stop, *outputs], **QUICK)
    running = started.then(handlers.run, [news, prompt, language], [*outputs, finished], show_progress="hidden", api_visibility="private", **MODEL)
    running.then(lambda: [gr.update(interactive=True), gr.update(interactive=False)], None, [compare, stop], **QUICK)
    stop.click(handlers.stop, None, None, **QUICK)
    cleared = clear.click(handlers.stop, None, None, **QUICK)
    cleared.then(lambda chosen: ["", *handlers.blank(chosen), None], language, [news, *outputs, finished], **QUICK)
    reset.click(lambda: system_prompt, None, prompt, **QUICK)
    examples.click(lambda index: articles[index]["text"], examples, news, **QUICK)
    language.change(handlers.translate, [language, finished], outputs, **QUICK)
    gr.api(handlers.answer, api_name="compare", **MODEL)

    labels = [(examples, "examples"), (accordion, "system_prompt")]
    values = [(compare, "compare"), (stop, "stop"), (clear, "clear"), (note, "system_prompt_note"), (reset, "reset")]
    return [
        (news, lambda to: gr.update(label=say("news", to), placeholder=say("news_placeholder", to))),
        *[(component, lambda to, key=key: gr.update(label=say(key, to))) for component, key in labels],
        *[(component, lambda to, key=key: gr.update(value=say(key, to))) for component, key in values],
    ]


def describe(comparison: Comparison) -> dict:
    """A finished comparison as JSON: what the endpoint /compare returns."""
    sides = {}
    for side, stream in comparison.answers.items():
        answer = answers.read_answer(stream.text)
        sides[side] = {
            "text": stream.text,
            "readable": answer.readable,
            "problem": answer.problem,
            "fields": answer.values,
            "tokens": stream.tokens,
            "seconds": round(stream.seconds, 3),
            "reason": stream.reason,
        }
    return sides | {"prompt_tokens": comparison.prompt_tokens, "changes": comparison.changes}
