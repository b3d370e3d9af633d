"""The tab 답변 비교: paste or choose an article, both answers stream side by side."""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict

import gradio as gr

from newsft.data.messages import gold_answer
from newsft.errors import UserError
from newsft.evaluation.answer import Answer, read_answer
from newsft.evaluation.comparison import as_json
from newsft.evaluation.fields import compare_fields, differing_keys
from newsft.inference.receipt import write_receipt
from newsft.inference.types import ABORT, AnswerStream, Comparison, Engine
from newsft.lessons.conversations import pick_row
from newsft.page.chooser import QUICK
from newsft.page.html import compare as views
from newsft.page.html.fields import format_fields
from newsft.page.html.receipt import format_receipt
from newsft.page.languages import First
from newsft.page.sessions import MODEL, QUEUE_LENGTH, Stops, find_place, is_full
from newsft.page.texts import DEFAULT_LANGUAGE, say, say_error
from newsft.paths import ASSETS

FRAME_SECONDS = 0.06  # between two updates of the page, times the comparisons that run; more often costs the browser and the server more than the eye gains
EXAMPLES = ASSETS / "examples.json"
LESSON_ROWS = range(10, 15)  # the five test rows that the lesson looks at
PLACE_SECONDS = 3.0  # between two looks at one's place in the queue: a hundred who wait cost the server a tenth of a core


class CompareHandlers:
    """What the tab's events do; `outputs` of every handler are the columns and the footer, in this order.

    `rows` are the test split: an article that is one of them has a gold answer.
    """

    def __init__(self, engine: Engine, *, page: gr.Blocks, system_prompt: str, rows: list[dict]):
        self.engine, self.page, self.system_prompt, self.rows = engine, page, system_prompt, rows
        self._numbers = {row["user_prompt"].strip(): number for number, row in reversed(list(enumerate(rows)))}
        self.stops = Stops()

    def show(self, comparison: Comparison, language: str) -> list[str]:
        """The columns and the footer as they are now."""
        fields = self._format_fields(comparison, language) if comparison.done else {}
        columns = [views.format_side(side, stream, fields.get(side, ""), language=language, waiting="queued", note=self._note(side, language)) for side, stream in comparison.answers.items()]
        footer = views.format_footer(prompt_tokens=len(comparison.prompt.ids), changes=comparison.prompt.changes, language=language, sent_ids=bool(comparison.requests))
        if comparison.done:
            number, gold = self.find_gold(comparison)
            footer = (views.format_gold(gold, number, language=language) if gold else "") + footer
            footer += format_receipt(write_receipt(self.engine, comparison), comparison.answers, language=language)
        return [*columns, footer]

    def find_gold(self, comparison: Comparison) -> tuple[int | None, Answer | None]:
        """The number and the gold answer of the test row whose article was compared, if it is one."""
        number = self._numbers.get(comparison.prompt.messages[-1]["content"].strip())
        found = None if number is None else gold_answer(self.rows[number])
        return number, None if found is None else Answer(found)

    def _format_fields(self, comparison: Comparison, language: str) -> dict[str, str]:
        _, gold = self.find_gold(comparison)
        article = comparison.prompt.messages[-1]["content"]
        read = {side: read_answer(stream.text) for side, stream in comparison.answers.items()}
        differing = differing_keys(*read.values()) if len(read) == 2 else set()
        fields = {side: format_fields(answer, compare_fields(answer, gold or Answer(), article), language=language, gold=gold, differing=differing) for side, answer in read.items()}
        empty = f'<p class="problem">{say("stopped_empty", language)}</p>'
        return fields | {side: empty for side, stream in comparison.answers.items() if stream.reason == ABORT and not stream.text}

    def blank(self, language: str, *, waiting: str = "waiting") -> list[str]:
        """Empty columns and footer."""
        return [*[views.format_side(side, AnswerStream(), language=language, waiting=waiting, note=self._note(side, language)) for side in self.engine.sides], ""]

    def _note(self, side: str, language: str) -> str | None:
        """What is known of a side's model, where it is not this process's own."""
        return None if self.engine.capabilities.same_weights else say("served_note", language, name=self.engine.adapters[side])

    def run(self, article: str, system_prompt: str, language: str, request: gr.Request) -> Iterator[list]:
        """Stream both answers; the last yield also holds the finished comparison."""
        try:
            shown = None
            for shown in self._frames(article, system_prompt, request):
                yield [*self.show(shown, language), shown if shown.done else None]
            if shown is None or not shown.done:  # cleared meanwhile
                yield [*self.blank(language), None]
        except UserError as error:
            # Not gr.Error: after a failed event Gradio does not run the next one, and the buttons would stay as they are.
            gr.Warning(say_error(error, language), title=say("tab_compare", language))
            yield [*self.blank(language), None]
        except (RuntimeError, MemoryError):  # the model's own failures, out of memory among them
            logging.getLogger(__name__).exception("the comparison failed")
            gr.Warning(say("error_failed", language), title=say("tab_compare", language))
            yield [*self.blank(language), None]

    def _frames(self, news: str, system_prompt: str, request: gr.Request) -> Iterator[Comparison]:
        """The comparison as often as the page is updated, and when it is done."""
        shown = 0.0
        with self.stops.run(request.session_hash) as flag:
            for comparison in self.engine.compare(news, system_prompt=system_prompt, stop=flag):
                if flag.cleared:
                    return
                if comparison.done or time.monotonic() - shown >= FRAME_SECONDS * self.engine.askers:
                    shown = time.monotonic()
                    yield comparison

    def start(self, language: str, request: gr.Request) -> list:
        """Swap the buttons, clear the columns and watch the place; from here on the comparison can be stopped, in the queue too."""
        if is_full(self.page):
            raise gr.Error(say("error_full", language, limit=QUEUE_LENGTH), title=say("tab_compare", language), print_exception=False)
        self.stops.press(request.session_hash)
        return [gr.update(interactive=False), gr.update(interactive=True), gr.Timer(active=True), *self.blank(language, waiting="queued")]

    def stop(self, request: gr.Request) -> None:
        """Stop the comparison of this browser tab, no other."""
        self.stops.stop(request.session_hash)

    def clear(self, request: gr.Request) -> None:
        """Stop it, and show nothing of it any more."""
        self.stops.stop(request.session_hash, clear=True)

    def place(self, language: str, request: gr.Request) -> str:
        """The place in the queue, for one who waits in it; empty for all others."""
        place = find_place(self.page, request.session_hash)
        return f'<p class="place" role="status">{say("place", language, place=place)}</p>' if place else ""

    def translate(self, language: str, finished: Comparison | None) -> list[str]:
        """Say the finished comparison again in another language."""
        return self.show(finished, language) if finished else self.blank(language)

    def answer(self, request: gr.Request, news: str, system_prompt: str | None = None) -> Iterator[dict]:
        """Both models' answers to a news text: per side the text, the eight fields as far as they could be read, and why it ended.

        While they grow, only the texts come.
        """
        try:
            for last in self._frames(news, self.system_prompt if system_prompt is None else system_prompt, request):
                if not last.done:
                    yield {side: {"text": stream.text} for side, stream in last.answers.items()}
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except (RuntimeError, MemoryError) as error:
            logging.getLogger(__name__).exception("the comparison failed")
            raise gr.Error(say("error_failed", "en"), print_exception=False) from error
        if all(stream.error for stream in last.answers.values()):
            raise gr.Error(" ".join(str(stream.error) for stream in last.answers.values()), print_exception=False)
        number, gold = self.find_gold(last)
        receipt = asdict(write_receipt(self.engine, last))
        receipt["stop_ids"] = {str(token): sources for token, sources in receipt["stop_ids"].items()}  # JSON has no other keys
        yield as_json(last, gold) | {"test_row": number, "receipt": receipt}

    def load_row(self, number: float, language: str) -> str | dict:
        """The article of a test row, for the news box."""
        try:
            return next(message["content"] for message in pick_row(self.rows, number) if message["role"] == "user")
        except UserError as error:
            gr.Warning(say_error(error, language), title=say("tab_compare", language))
            return gr.skip()


def build_compare_tab(engine: Engine, *, page: gr.Blocks, language: gr.Radio, system_prompt: str, rows: list[dict]) -> list[tuple]:
    """Build the tab; returns (component, language -> update) for everything whose label the language switch changes."""
    handlers, articles, lang = CompareHandlers(engine, page=page, system_prompt=system_prompt, rows=rows), json.loads(EXAMPLES.read_text(encoding="utf-8")), DEFAULT_LANGUAGE
    lesson_rows = [number for number in LESSON_ROWS if number < len(rows)]
    examples, lesson, number, load = _build_sources(articles, lesson_rows, last=len(rows) - 1)
    news = gr.Textbox(label=say("news", lang), placeholder=say("news_placeholder", lang), lines=3, max_lines=7, elem_id="news")
    with gr.Row(elem_id="buttons"):
        compare = gr.Button(say("compare", lang), variant="primary", elem_id="compare")
        stop = gr.Button(say("stop", lang), variant="stop", elem_id="stop", interactive=False)
        clear = gr.Button(say("clear", lang), elem_id="clear")
    place, timer = gr.HTML(elem_id="place"), gr.Timer(PLACE_SECONDS, active=False)
    *columns, line = handlers.blank(lang)
    with gr.Row(elem_id="answers", equal_height=False):
        sides = [gr.HTML(column, elem_id=side) for side, column in zip(engine.sides, columns, strict=True)]
    outputs = [*sides, gr.HTML(line, elem_id="footer")]
    with gr.Accordion(say("system_prompt", lang), open=False, elem_id="system-prompt") as accordion:
        note = gr.Markdown(say("system_prompt_note", lang))
        prompt = gr.Textbox(value=system_prompt, label=say("system_prompt", lang), show_label=False, lines=5, max_lines=12, container=False)
        reset = gr.Button(say("reset", lang), size="sm")
    finished = gr.State(None)  # the last complete comparison

    started = compare.click(handlers.start, language, [compare, stop, timer, *outputs], **QUICK)
    running = started.success(handlers.run, [news, prompt, language], [*outputs, finished], show_progress="hidden", api_visibility="private", **MODEL)
    for ended in (running.success, running.failure):  # it fails where the queue or the web server refuses it
        ended(lambda: [gr.update(interactive=True), gr.update(interactive=False), gr.Timer(active=False), ""], None, [compare, stop, timer, place], **QUICK)
    timer.tick(handlers.place, language, place, **QUICK)
    page.unload(handlers.stop)  # a reader who leaves; closing the stream alone ends the comparison only at its next frame
    stop.click(handlers.stop, None, None, **QUICK)
    cleared = clear.click(handlers.clear, None, None, **QUICK)
    cleared.then(lambda chosen: ["", *handlers.blank(chosen), None], language, [news, *outputs, finished], **QUICK)
    reset.click(lambda: system_prompt, None, prompt, **QUICK)
    examples.click(lambda index: articles[index]["text"], examples, news, **QUICK)
    lesson.click(lambda index: [rows[lesson_rows[index]]["user_prompt"], lesson_rows[index]], lesson, [news, number], **QUICK)
    for chosen_row in (load.click, number.submit):
        chosen_row(handlers.load_row, [number, language], news, **QUICK | {"queue": True, "concurrency_limit": None})  # only queued events can warn
    language.change(handlers.translate, [language, finished], outputs, **QUICK)
    gr.api(handlers.answer, api_name="compare", **MODEL)

    first = [First(side, lambda to, place=place: gr.update(value=handlers.blank(to)[place])) for place, side in enumerate(sides)]
    values = [(load, "test_row_load"), (compare, "compare"), (stop, "stop"), (clear, "clear"), (note, "system_prompt_note"), (reset, "reset")]
    return [
        *first,
        (news, lambda to: gr.update(label=say("news", to), placeholder=say("news_placeholder", to))),
        (lesson, lambda to: gr.update(**_lesson_rows(lesson_rows, to))),
        (number, lambda to: gr.update(label=say("test_row", to, last=len(rows) - 1))),
        (examples, lambda to: gr.update(**_example_titles(articles, to))),
        (accordion, lambda to: gr.update(label=say("system_prompt", to))),
        (prompt, lambda to: gr.update(label=say("system_prompt", to))),
        *[(component, lambda to, key=key: gr.update(value=say(key, to))) for component, key in values],
    ]


def _build_sources(articles: list[dict], lesson_rows: list[int], *, last: int) -> tuple[gr.Dataset, gr.Dataset, gr.Number, gr.Button]:
    """Where an article comes from if it is not pasted: the examples, the lesson's rows, any test row by its number."""
    lang = DEFAULT_LANGUAGE
    examples = gr.Dataset(**_example_titles(articles, lang), components=[gr.Textbox(visible=False)], samples_per_page=len(articles), type="index", layout="gallery", elem_id="examples")
    with gr.Row(elem_id="test-rows"):
        lesson = gr.Dataset(**_lesson_rows(lesson_rows, lang), components=[gr.Textbox(visible=False)], samples_per_page=len(lesson_rows), type="index", layout="gallery", elem_id="lesson-rows")
        number = gr.Number(None, label=say("test_row", lang, last=last), precision=0, elem_id="test-row")
        load = gr.Button(say("test_row_load", lang), elem_id="test-row-load")
    return examples, lesson, number, load


def _example_titles(articles: list[dict], language: str) -> dict:
    return {"label": say("examples", language), "samples": [[article["title"][language]] for article in articles]}


def _lesson_rows(numbers: list[int], language: str) -> dict:
    return {"label": say("lesson_rows", language), "samples": [[say("lesson_row", language, row=number)] for number in numbers]}
