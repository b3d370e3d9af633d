"""The tab 평가: the shipped evaluation's scores as a picture, every row open to inspection, its X-ray, and the exports."""

import tempfile
import threading
from pathlib import Path

import gradio as gr

from newsft.data.messages import row_messages
from newsft.encoding import tokens
from newsft.errors import UserError
from newsft.evaluation.metrics import MEASURES
from newsft.evaluation.results import FILTERS, Results, load_results
from newsft.inference.token_loss import take_xray
from newsft.inference.types import Engine
from newsft.page import report
from newsft.page.chooser import QUICK, explain, explain_failure
from newsft.page.html import evaluation as views
from newsft.page.html.scores import draw_kinds, draw_scores
from newsft.page.html.xray import format_xray
from newsft.page.languages import First
from newsft.page.sessions import MODEL
from newsft.page.texts import DEFAULT_LANGUAGE, say

COLUMNS = ("row", "article", "kind", "base_score", "tuned_score", "gain", "read")
EXPORTS = ("csv", "json", "html")


class EvaluationHandlers:
    """What the tab's events do. The results are read and scored once, when the tab is first opened (a few seconds)."""

    def __init__(self, engine: Engine, rows: list[dict], folder: Path):
        self.engine, self.rows, self.folder = engine, rows, folder
        self._folder = tempfile.TemporaryDirectory(prefix="newsft-")  # gone with the page
        self._results: Results | None = None
        self._lock, self._writing = threading.Lock(), threading.Lock()

    @property
    def results(self) -> Results:
        """The evaluation; UserError where the folder holds none that fits."""
        with self._lock:
            if self._results is None:
                self._results = load_results(self.folder, self.rows)
            return self._results

    def show(self, language: str, chosen: str) -> list:
        """Origin, picture, kinds, score table and the list of rows."""
        try:
            results = self.results
        except UserError as error:
            return [explain(error, language), "", "", "", self.list(language, chosen)]
        summary = results.summary
        return [
            views.format_origin(summary, language=language, fits=summary["settings"]["adapter_fingerprint"] == self.engine.models.adapter_fingerprint),
            draw_scores(summary, language=language),
            draw_kinds(summary, "stock_f1", language=language),
            views.format_scores(summary, tuple(MEASURES), language=language),
            self.list(language, chosen),
        ]

    def show_again(self, language: str, chosen: str) -> list:
        """The same in another language; nothing where nobody has opened the tab yet."""
        return [gr.skip()] * 5 if self._results is None else self.show(language, chosen)

    def list(self, language: str, chosen: str) -> dict:
        """The table of the rows that pass the filter."""
        try:
            found = views.list_rows(self.results.filtered(chosen), language=language)
        except UserError:
            found = []
        return gr.update(value=found, headers=_headers(language), label=say("row_list", language))

    def open(self, number: float | None, language: str) -> str:
        """One row with both answers beside the gold answer; empty before a row is chosen."""
        if number is None:
            return ""
        try:
            results = self.results
            if not 0 <= number < len(results.rows) or number != int(number):
                raise UserError(f"There is no row {number}; give a whole number from 0 to {len(results.rows) - 1}.", key="no_row", number=number, last=len(results.rows) - 1)
        except UserError as error:
            return explain(error, language)
        return views.format_row(results.rows[int(number)], language=language)

    def xray(self, number: float | None, language: str) -> str:
        """The loss of every token of the row's gold answer, adapter off and on."""
        if number is None or not 0 <= number < len(self.rows) or number != int(number):
            return ""
        try:
            if not self.engine.capabilities.token_loss:
                raise UserError("The loss of single tokens needs the model's own weights; start the page without --server.", key="served")
            chat = self.engine.chat
            encoded = chat.encode_row(row_messages(self.rows[int(number)]))
            return format_xray(take_xray(self.engine, encoded), tokens.read_tokens(chat, encoded), language=language)
        except UserError as error:
            return explain(error, language)
        except (RuntimeError, MemoryError):
            return explain_failure("loss X-ray", language)

    def export(self, kind: str, language: str) -> str | None:
        """The path of an export, written when it is first asked for; None where there is no evaluation."""
        path = Path(self._folder.name) / f"newsft-evaluation-{language}.{kind}"
        try:
            results = self.results
        except UserError:
            return None
        with self._writing:  # many readers open the tab at once
            if not path.exists():
                part = path.with_suffix(".part")  # a full disk leaves no half of an export behind
                if kind == "html":
                    report.write_html(results, part, language=language)
                else:
                    {"csv": report.write_csv, "json": report.write_json}[kind](results, part)
                part.replace(path)
        return str(path)


def build_evaluation_tab(engine: Engine, rows: list[dict], folder: Path, *, tab: gr.Tab, language: gr.Radio) -> list[tuple]:
    """Build the tab; returns (component, language -> update) as every tab does."""
    handlers, lang = EvaluationHandlers(engine, rows, folder), DEFAULT_LANGUAGE
    intro = gr.Markdown(say("evaluation_intro", lang))
    origin = gr.HTML(f'<p class="waiting">{say("loading_evaluation", lang)}</p>', elem_id="origin")
    picture = gr.HTML(elem_id="scores")
    with gr.Row(elem_id="exports"):
        exports = [gr.DownloadButton(say(f"export_{kind}", lang), elem_id=f"export-{kind}") for kind in EXPORTS]
    with gr.Accordion(say("score_details", lang), open=False) as details:
        by_kind = gr.Markdown(say("by_kind", lang))
        kinds = gr.HTML()
        table = gr.HTML()
    chosen = gr.Radio(_filters(lang), value=FILTERS[0], label=say("filter", lang), elem_id="filter")
    listing = gr.Dataframe(
        headers=_headers(lang), datatype=["number", "str", "str", "number", "number", "number", "str"], interactive=False, max_height=420, wrap=True, elem_id="rows", label=say("row_list", lang)
    )
    number = gr.Number(None, label=say("open_row", lang, last=len(rows) - 1), precision=0, elem_id="open-row")
    row = gr.HTML(elem_id="opened")
    with gr.Accordion(say("xray", lang), open=True, elem_id="xray") as accordion:
        note = gr.Markdown(say("xray_intro", lang))
        xray = gr.HTML()

    shown = [origin, picture, kinds, table, listing]
    opened = tab.select(handlers.show, [language, chosen], shown, **QUICK)
    opened.then(lambda to: [handlers.export(kind, to) for kind in EXPORTS], language, exports, **QUICK)
    chosen.input(handlers.list, [language, chosen], listing, trigger_mode="always_last", **QUICK)
    listing.select(_row_number, None, number, **QUICK)
    gr.on([number.change, language.change], handlers.open, [number, language], row, trigger_mode="always_last", **QUICK)
    language.change(handlers.show_again, [language, chosen], shown, **QUICK)
    # One listener for all that opens a row: of several, the answer to an earlier choice could arrive last and stay.
    row.change(handlers.xray, [number, language], xray, trigger_mode="always_last", show_progress="hidden", api_visibility="private", **MODEL)
    return [
        (intro, lambda to: gr.update(value=say("evaluation_intro", to))),
        *[(button, lambda to, kind=kind: gr.update(label=say(f"export_{kind}", to))) for kind, button in zip(EXPORTS, exports, strict=True)],
        (details, lambda to: gr.update(label=say("score_details", to))),
        (by_kind, lambda to: gr.update(value=say("by_kind", to))),
        (chosen, lambda to: gr.update(label=say("filter", to), choices=_filters(to))),
        (number, lambda to: gr.update(label=say("open_row", to, last=len(rows) - 1))),
        (accordion, lambda to: gr.update(label=say("xray", to))),
        (note, lambda to: gr.update(value=say("xray_intro", to))),
        First(origin, lambda to: gr.update(value=f'<p class="waiting">{say("loading_evaluation", to)}</p>')),
        First(listing, lambda to: gr.update(headers=_headers(to), label=say("row_list", to))),
    ]


def _headers(language: str) -> list[str]:
    return [say(f"column_{name}", language) for name in COLUMNS]


def _filters(language: str) -> list[tuple[str, str]]:
    return [(say(f"filter_{name}", language), name) for name in FILTERS]


def _row_number(event: gr.SelectData) -> float:
    """The number of the row that was chosen in the table, wherever sorting has put it."""
    return int(event.row_value[0])
