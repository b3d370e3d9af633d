"""The tab 답변 비교: paste or choose an article, both answers stream side by side."""

import json
from collections.abc import Callable
from functools import partial

import gradio as gr

from newsft.inference.types import Engine
from newsft.page.sessions import MODEL
from newsft.page.tabs.compare_handlers import CompareHandlers
from newsft.page.tabs.next_tokens import build_next_tokens
from newsft.page.texts import say
from newsft.page.words import QUICK, Words
from newsft.paths import ASSETS

EXAMPLES = ASSETS / "examples.json"
LESSON_ROWS = range(10, 15)  # the five test rows that the lesson looks at
PLACE_SECONDS = 3.0  # between two updates of one's place in the queue; at this rate a hundred waiting sessions cost a tenth of a core


def build_compare_tab(
    engine: Engine,
    words: Words,
    *,
    page: gr.Blocks,
    tab: gr.Tab,
    language: gr.Radio,
    reader: gr.BrowserState,
    name_own: Callable[[str], list[str]],
    system_prompt: str,
    rows: list[dict],
) -> None:
    """Build the tab: where the article comes from, the adapter, the buttons, both answers, the system prompt.

    `reader` holds the reader's token, `name_own` makes of it the names of adapters that are not listed and that this reader may choose beside those that are.
    """
    handlers = CompareHandlers(engine, page=page, system_prompt=system_prompt, rows=rows)
    said = {"label": "news", "placeholder": "news_placeholder"}
    news = words.make(gr.Textbox, said, lines=3, max_lines=7, elem_id="news", render=False)
    _build_sources(words, handlers, news=news, language=language)
    news.render()
    adapter = _build_adapters(words, handlers)
    compare, stop, clear = _build_buttons(words)
    place, timer = gr.HTML(elem_id="place"), gr.Timer(PLACE_SECONDS, active=False)
    outputs = _build_answers(words, handlers)
    finished = gr.State(None)  # the last complete comparison
    spoken = gr.State(None)  # the language in which the one that runs is shown
    ahead = build_next_tokens(engine, words, finished=finished, language=language)
    prompt = _build_system_prompt(words, handlers, adapter)
    if engine.capabilities.changeable:
        opened = [page.load, tab.select, language.change]
        _offer_on(opened, handlers, name_own, adapter=adapter, prompt=prompt, reader=reader, language=language)

    started = compare.click(handlers.start, language, [compare, stop, timer, *outputs, finished, spoken], **QUICK)
    streamed = {"show_progress": "hidden", "api_visibility": "private"} | MODEL
    running = started.success(handlers.run, [news, prompt, adapter, language], [*outputs, finished], **streamed)
    for ended in (running.success, running.failure):  # failure: the queue or the web server refused it
        ended(_end, None, [compare, stop, timer, place], **QUICK)
    running.success(handlers.translate_late, [language, spoken, finished], outputs, **QUICK)
    timer.tick(handlers.place, language, place, **QUICK)
    # A reader who leaves; closing the stream alone ends the comparison only at its next frame.
    page.unload(handlers.stop)
    stop.click(handlers.stop, None, None, **QUICK)
    cleared = clear.click(handlers.clear, None, None, **QUICK)
    emptied = [news, *outputs, finished]
    cleared.then(lambda chosen: ["", *handlers.blank(chosen), None], language, emptied, **QUICK)
    if ahead is not None:
        gr.on([compare.click, clear.click], ahead.handlers.hide, None, ahead.outputs, **QUICK)
    language.change(handlers.translate, [language, finished], outputs, **QUICK)
    gr.api(handlers.answer, api_name="compare", **MODEL)


def _build_answers(words: Words, handlers: CompareHandlers) -> list:
    """The columns, empty, and what stands under them."""
    with gr.Row(elem_id="answers", equal_height=False):
        sides = [
            words.make(gr.HTML, {}, first={"value": partial(handlers.blank_side, side)}, elem_id=side)
            for side in handlers.engine.sides
        ]
    return [*sides, gr.HTML(elem_id="footer")]


def _build_buttons(words: Words) -> tuple[gr.Button, gr.Button, gr.Button]:
    """Compare, stop and clear."""
    with gr.Row(elem_id="buttons"):
        compare = words.make(gr.Button, {"value": "compare"}, variant="primary", elem_id="compare")
        stop = words.make(gr.Button, {"value": "stop"}, variant="stop", elem_id="stop", interactive=False)
        clear = words.make(gr.Button, {"value": "clear"}, elem_id="clear")
    return compare, stop, clear


def _build_sources(words: Words, handlers: CompareHandlers, *, news: gr.Textbox, language: gr.Radio) -> None:
    """Where an article comes from if it is not pasted: the examples, the lesson's rows, any test row by its number."""
    articles, rows = json.loads(EXAMPLES.read_text(encoding="utf-8")), handlers.rows
    lesson_rows = [number for number in LESSON_ROWS if number < len(rows)]

    def name_rows(to: str) -> list[list[str]]:
        return [[say("lesson_row", to, row=number)] for number in lesson_rows]

    gallery = {"type": "index", "layout": "gallery"}
    examples = words.make(
        gr.Dataset,
        {"label": "examples", "samples": lambda to: [[article["title"][to]] for article in articles]},
        components=[gr.Textbox(visible=False)],
        samples_per_page=len(articles),
        elem_id="examples",
        **gallery,
    )
    with gr.Row(elem_id="test-rows"):
        lesson = words.make(
            gr.Dataset,
            {"label": "lesson_rows", "samples": name_rows},
            components=[gr.Textbox(visible=False)],
            samples_per_page=len(lesson_rows),
            elem_id="lesson-rows",
            **gallery,
        )
        label = {"label": lambda to: say("test_row", to, last=len(rows) - 1)}
        number = words.make(gr.Number, label, value=None, precision=0, elem_id="test-row")
        load = words.make(gr.Button, {"value": "test_row_load"}, elem_id="test-row-load")

    def load_lesson_row(index: int) -> list:
        return [rows[lesson_rows[index]]["user_prompt"], lesson_rows[index]]

    examples.click(lambda index: articles[index]["text"], examples, news, **QUICK)
    lesson.click(load_lesson_row, lesson, [news, number], **QUICK)
    can_warn = QUICK | {"queue": True, "concurrency_limit": None}  # only queued events can show a warning
    gr.on([load.click, number.submit], handlers.load_row, [number, language], news, **can_warn)


def _build_adapters(words: Words, handlers: CompareHandlers) -> gr.Dropdown:
    """The choice of the adapter, in sight where there is one."""
    listed = handlers.list_adapters((), "ko")
    first = listed[0][1] if listed else None
    look = {"choices": listed, "value": first, "visible": len(listed) > 1, "elem_id": "adapter"}
    return words.make(gr.Dropdown, {"label": "adapter_choice", "info": "adapter_choice_info"}, **look)


def _offer_on(
    events: list,
    handlers: CompareHandlers,
    name_own: Callable[[str], list[str]],
    *,
    adapter: gr.Dropdown,
    prompt: gr.Textbox,
    reader: gr.BrowserState,
    language: gr.Radio,
) -> None:
    """Make the choice anew on each of the events."""

    def offer(chosen: str | None, token: str, to: str) -> list:
        return handlers.offer_adapters(chosen, name_own(token), to)

    gr.on(events, offer, [adapter, reader, language], [adapter, prompt], **QUICK)


def _build_system_prompt(words: Words, handlers: CompareHandlers, adapter: gr.Dropdown) -> gr.Textbox:
    """The system prompt, folded, and the button that brings back the one that the chosen adapter was trained with."""
    with words.make(gr.Accordion, {"label": "system_prompt"}, open=False, elem_id="system-prompt"):
        words.make(gr.Markdown, {"value": "system_prompt_note"})
        look = {"show_label": False, "container": False, "lines": 5, "max_lines": 12}
        prompt = words.make(gr.Textbox, {"label": "system_prompt"}, value=handlers.system_prompt, **look)
        reset = words.make(gr.Button, {"value": "reset"}, size="sm")
    reset.click(handlers.find_system_prompt, adapter, prompt, **QUICK)
    adapter.input(handlers.change_adapter, [adapter, prompt], prompt, trigger_mode="always_last", **QUICK)
    return prompt


def _end() -> list:
    """The buttons as they are when nothing runs, and no place in the queue."""
    return [gr.update(interactive=True), gr.update(interactive=False), gr.Timer(active=False), ""]
