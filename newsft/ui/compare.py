"""The tab 답변 비교: paste or choose an article, both answers stream side by side."""

import json
import threading
import time
from collections.abc import Iterator

import gradio as gr

from newsft import answers, views
from newsft.engine import Comparison, Engine
from newsft.errors import UserError
from newsft.recipe import ASSETS
from newsft.texts import DEFAULT_LANGUAGE, say, say_error

FRAME_SECONDS = 0.06  # between two updates of the page; more often costs the browser more than the eye gains
EXAMPLES = ASSETS / "examples.json"


def build_compare_tab(engine: Engine, *, language: gr.Radio, system_prompt: str) -> list[tuple]:
    """Build the tab; returns (component, language -> update) for everything that the language switch changes."""
    stops: dict[str, threading.Event] = {}  # one per running comparison, by the browser session
    articles = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    lang = DEFAULT_LANGUAGE

    samples = [[article["title"]] for article in articles]
    examples = gr.Dataset(label=say("examples", lang), components=[gr.Textbox(visible=False)], samples=samples, samples_per_page=len(samples), type="index", layout="gallery", elem_id="examples")
    news = gr.Textbox(label=say("news", lang), placeholder=say("news_placeholder", lang), lines=7, max_lines=16, elem_id="news")
    with gr.Row(elem_id="buttons"):
        compare = gr.Button(say("compare", lang), variant="primary", elem_id="compare")
        stop = gr.Button(say("stop", lang), variant="stop", elem_id="stop", interactive=False)
        clear = gr.Button(say("clear", lang), elem_id="clear")
    with gr.Row(elem_id="answers", equal_height=False):
        sides = [gr.HTML(views.format_side(side, "", language=lang), elem_id=side, min_width=300) for side in engine.sides]
    footer = gr.HTML("", elem_id="footer")
    with gr.Accordion(say("system_prompt", lang), open=False, elem_id="system-prompt") as accordion:
        note = gr.Markdown(say("system_prompt_note", lang))
        prompt = gr.Textbox(value=system_prompt, show_label=False, lines=5, max_lines=12, label=say("system_prompt", lang), container=False)
        reset = gr.Button(say("reset", lang), size="sm")

    def show(comparison: Comparison, article: str, chosen: str) -> list[str]:
        columns = [
            views.format_side(side, a.text, language=chosen, article=article, tokens=a.tokens, seconds=a.seconds, reason=a.reason, waiting="queued")
            for side, a in comparison.answers.items()
        ]
        return [*columns, views.format_footer(prompt_tokens=comparison.prompt_tokens, changes=comparison.changes, language=chosen)]

    def run(article: str, asked: str, chosen: str, request: gr.Request) -> Iterator[list]:
        flag = stops[request.session_hash] = threading.Event()
        shown = 0.0
        try:
            for comparison in engine.compare(article, system_prompt=asked, stop=flag):
                if comparison.done or time.monotonic() - shown >= FRAME_SECONDS:
                    shown = time.monotonic()
                    yield show(comparison, article, chosen)
        except UserError as error:
            raise gr.Error(say_error(error, chosen), print_exception=False) from error
        except (RuntimeError, MemoryError) as error:  # the model's own failures, out of memory among them
            raise gr.Error(say("error_failed", chosen)) from error
        finally:
            flag.set()  # a browser that leaves closes this generator: the engine stops at its next token
            if stops.get(request.session_hash) is flag:
                del stops[request.session_hash]

    def halt(request: gr.Request) -> None:
        if flag := stops.get(request.session_hash):
            flag.set()

    def busy(chosen: str) -> list:
        waiting = [views.format_side(side, "", language=chosen, waiting="queued") for side in engine.sides]
        return [gr.update(interactive=False), gr.update(interactive=True), *waiting, ""]

    def idle() -> list:
        return [gr.update(interactive=True), gr.update(interactive=False)]

    def wipe(chosen: str) -> list:
        return ["", *[views.format_side(side, "", language=chosen) for side in engine.sides], ""]

    quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    outputs = [*sides, footer]
    started = compare.click(busy, language, [compare, stop, *outputs], **quick)
    running = started.then(run, [news, prompt, language], outputs, concurrency_id="model", concurrency_limit=1, show_progress="hidden", api_visibility="private")
    running.then(idle, None, [compare, stop], **quick)
    stop.click(halt, None, None, **quick)
    clear.click(halt, None, None, **quick).then(wipe, language, [news, *outputs], **quick)
    reset.click(lambda: system_prompt, None, prompt, **quick)
    examples.click(lambda index: articles[index]["text"], examples, news, **quick)

    def api_compare(news: str, system_prompt: str = system_prompt) -> dict:
        """Both models' answers to a news text: per side the text, the eight fields as far as they could be read, and why it ended."""
        try:
            *_, last = engine.compare(news, system_prompt=system_prompt)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return describe(last)

    gr.api(api_compare, api_name="compare", concurrency_id="model", concurrency_limit=1)

    return [
        (news, lambda to: gr.update(label=say("news", to), placeholder=say("news_placeholder", to))),
        (examples, lambda to: gr.update(label=say("examples", to))),
        (compare, lambda to: gr.update(value=say("compare", to))),
        (stop, lambda to: gr.update(value=say("stop", to))),
        (clear, lambda to: gr.update(value=say("clear", to))),
        (accordion, lambda to: gr.update(label=say("system_prompt", to))),
        (note, lambda to: gr.update(value=say("system_prompt_note", to))),
        (reset, lambda to: gr.update(value=say("reset", to))),
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
