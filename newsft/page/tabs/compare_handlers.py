"""What the events of the tab 답변 비교 do, and the endpoint that answers other programs."""

import logging
import time
from collections.abc import Collection, Iterator
from dataclasses import asdict

import gradio as gr

from newsft.errors import UserError
from newsft.evaluation.answer import Answer, read_answer
from newsft.evaluation.comparison import GoldAnswers, as_json
from newsft.evaluation.fields import compare_fields, differing_keys
from newsft.inference.receipt import write_receipt
from newsft.inference.types import ABORT, AnswerStream, Comparison, Engine
from newsft.lessons.conversations import pick_row
from newsft.models.adapter_info import AdapterInfo
from newsft.models.run_record import news_lengths
from newsft.page.html import compare as views
from newsft.page.html.fields import format_fields
from newsft.page.html.receipt import format_receipt
from newsft.page.sessions import Stops, find_place, refuse_when_full
from newsft.page.texts import say, say_error

# Between two updates of the page, multiplied by the number of running comparisons; shorter intervals cost time and are not seen.
FRAME_SECONDS = 0.06


class CompareHandlers:
    """What the tab's events do; `outputs` of every handler are the columns and the footer, in this order.

    `rows` are the test split: an article that is one of them has a gold answer.
    """

    def __init__(self, engine: Engine, *, page: gr.Blocks, system_prompt: str, rows: list[dict]):
        self.engine, self.page, self.system_prompt, self.rows = engine, page, system_prompt, rows
        self._gold = GoldAnswers(rows)
        self.stops = Stops()

    def find_system_prompt(self, adapter: str | None) -> str:
        """The system prompt that the adapter of this name was trained with; the page's own where that is not known."""
        run = next((info.run for info in self.engine.adapters if info.name == adapter), None)
        return run["system_prompt"] if run else self.system_prompt

    def change_adapter(self, adapter: str, system_prompt: str) -> str | dict:
        """The chosen adapter's system prompt in the place of another adapter's; one that the reader has written stays."""
        known = {self.system_prompt, *(self.find_system_prompt(info.name) for info in self.engine.adapters)}
        return self.find_system_prompt(adapter) if system_prompt in known else gr.skip()

    def list_adapters(self, own: Collection[str], language: str) -> list[tuple[str, str]]:
        """(what it is called, name) of each adapter that a reader with these `own` ones may choose."""
        found = []
        for info in self.engine.adapters:
            if info.listed or info.name in own:
                shown = info.name if info.listed else say("adapter_own", language, name=info.name)
                found.append((shown, info.name))
        return found

    def offer_adapters(self, chosen: str | None, own: Collection[str], language: str) -> list:
        """The choice as the adapters are now, and the system prompt; where the chosen one is gone, the first and its prompt take their place."""
        choices = self.list_adapters(own, language)
        names = [name for _, name in choices]
        value = chosen if chosen in names else next(iter(names), None)
        gone = chosen is not None and value != chosen
        prompt = self.find_system_prompt(value) if gone else gr.skip()
        return [gr.update(choices=choices, value=value, visible=len(names) > 1), prompt]

    def show(self, comparison: Comparison, language: str) -> list[str]:
        """The columns and the footer as they are now."""
        number, gold = self._gold.find(comparison.prompt.news) if comparison.done else (None, None)
        fields = self._format_fields(comparison, gold, language) if comparison.done else {}
        known = {"adapter": comparison.adapter, "news": comparison.prompt.news}
        columns = [
            self._format_side(side, stream, fields.get(side, ""), language=language, waiting="queued", **known)
            for side, stream in comparison.answers.items()
        ]
        prompt, sent_ids = comparison.prompt, bool(comparison.requests)
        footer = views.format_footer(
            prompt_tokens=len(prompt.ids), changes=prompt.changes, language=language, sent_ids=sent_ids
        )
        if comparison.done:
            footer = (views.format_gold(gold, number, language=language) if gold else "") + footer
            footer += format_receipt(write_receipt(self.engine, comparison), comparison.answers, language=language)
        return [*columns, footer]

    def _format_fields(self, comparison: Comparison, gold: Answer | None, language: str) -> dict[str, str]:
        read = {side: read_answer(stream.text) for side, stream in comparison.answers.items()}
        differing = differing_keys(*read.values()) if len(read) == 2 else set()
        fields = {}
        for side, answer in read.items():
            stream = comparison.answers[side]
            compared = compare_fields(answer, gold or Answer(), comparison.prompt.news)
            if stream.reason == ABORT and not stream.text:
                fields[side] = f'<p class="problem">{say("stopped_empty", language)}</p>'
            else:
                fields[side] = format_fields(answer, compared, language=language, gold=gold, differing=differing)
        return fields

    def blank(self, language: str, *, waiting: str = "waiting") -> list[str]:
        """Empty columns and footer."""
        return [*[self.blank_side(side, language, waiting=waiting) for side in self.engine.sides], ""]

    def blank_side(self, side: str, language: str, *, waiting: str = "waiting") -> str:
        """One empty column."""
        return self._format_side(side, AnswerStream(), language=language, waiting=waiting)

    def _format_side(
        self,
        side: str,
        stream: AnswerStream,
        fields: str = "",
        *,
        language: str,
        waiting: str,
        adapter: AdapterInfo | None = None,
        news: str = "",
    ) -> str:
        """A column under what is known of its model: of a server's its name, of one of several adapters the adapter's; and the warning that it read no news of this length in its training."""
        note, warning = None, ""
        if self.engine.served:
            note = say("served_note", language, name=self.engine.served[side])
        elif side == "tuned" and adapter and len(self.engine.adapters) > 1:
            note = say("tuned_note_named", language, name=adapter.name)
        lengths = adapter and adapter.run and news_lengths(adapter.run)
        if side == "tuned" and news and lengths and not lengths[0] <= len(news) <= lengths[1]:
            known = {"count": len(news), "shortest": lengths[0], "longest": lengths[1]}
            warning = say("news_length", language, **known)
        return views.format_side(side, stream, fields, language=language, waiting=waiting, note=note, warning=warning)

    def run(
        self, article: str, system_prompt: str, adapter: str | None, language: str, request: gr.Request
    ) -> Iterator[list]:
        """Stream both answers; the last yield also holds the finished comparison."""
        shown = None
        try:
            for shown in self._frames(article, system_prompt, adapter, request):
                yield [*self.show(shown, language), shown if shown.done else None]
            if shown is not None and shown.done:
                return
            problem = None  # cleared meanwhile
        except UserError as error:
            problem = say_error(error, language)
        except (RuntimeError, MemoryError):  # the model's own failures, out of memory among them
            logging.getLogger(__name__).exception("the comparison failed")
            problem = say("error_failed", language)
        if (
            problem
        ):  # no gr.Error: after a failed event Gradio does not run the next one, and the buttons would stay as they are
            gr.Warning(problem, title=say("tab_compare", language))
        yield [*self.blank(language), None]

    def _frames(self, news: str, system_prompt: str, adapter: str | None, request: gr.Request) -> Iterator[Comparison]:
        """The comparison as often as the page is updated, and when it is done."""
        shown = 0.0
        with self.stops.run(request.session_hash) as flag:
            asked = {"system_prompt": system_prompt, "adapter": adapter, "stop": flag}
            for comparison in self.engine.compare(news, **asked):
                if flag.cleared:
                    return
                if comparison.done or time.monotonic() - shown >= FRAME_SECONDS * self.engine.askers:
                    shown = time.monotonic()
                    yield comparison

    def start(self, language: str, request: gr.Request) -> list:
        """Swap the buttons, clear the columns, forget the last comparison and watch the place; from here on the comparison can be stopped, in the queue too."""
        refuse_when_full(self.page, "tab_compare", language)
        self.stops.press(request.session_hash)
        buttons = [gr.update(interactive=False), gr.update(interactive=True)]
        return [*buttons, gr.Timer(active=True), *self.blank(language, waiting="queued"), None, language]

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

    def translate_late(self, language: str, spoken: str | None, finished: Comparison | None) -> list:
        """Say it again where the reader has switched the language while it was answered."""
        return [gr.skip()] * (len(self.engine.sides) + 1) if language == spoken else self.translate(language, finished)

    def answer(
        self, request: gr.Request, news: str, system_prompt: str | None = None, adapter: str | None = None
    ) -> Iterator[dict]:
        """Both models' answers to a news text: per side the text, the eight fields as far as they could be read, and why it ended.

        While they grow, only the texts come. `adapter` is the name of one of the page's adapters, by default the first.
        """
        try:
            prompt = self.find_system_prompt(adapter) if system_prompt is None else system_prompt
            for last in self._frames(news, prompt, adapter, request):
                if not last.done:
                    yield {side: {"text": stream.text} for side, stream in last.answers.items()}
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except (RuntimeError, MemoryError) as error:
            logging.getLogger(__name__).exception("the comparison failed")
            raise gr.Error(say("error_failed", "en"), print_exception=False) from error
        if all(stream.error for stream in last.answers.values()):
            raise gr.Error(" ".join(str(stream.error) for stream in last.answers.values()), print_exception=False)
        number, gold = self._gold.find(last.prompt.news)
        receipt = asdict(write_receipt(self.engine, last))
        receipt["stop_ids"] = {
            str(token): sources for token, sources in receipt["stop_ids"].items()
        }  # JSON has no other keys
        yield as_json(last, gold) | {"test_row": number, "receipt": receipt}

    def load_row(self, number: float, language: str) -> str | dict:
        """The article of a test row, for the news box."""
        try:
            return [message["content"] for message in pick_row(self.rows, number) if message["role"] == "user"][-1]
        except UserError as error:
            gr.Warning(say_error(error, language), title=say("tab_compare", language))
            return gr.skip()
