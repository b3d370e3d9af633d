"""The tab 평가: the shipped evaluation's scores as a picture, every row open to inspection, its X-ray, and the exports."""

import tempfile
import threading
from pathlib import Path

import gradio as gr

from newsft.encoding import tokens
from newsft.errors import UserError
from newsft.evaluation.metrics import MEASURES
from newsft.evaluation.results import FILTERS, Results, load_results
from newsft.inference.token_loss import take_xray
from newsft.inference.types import Engine
from newsft.lessons.conversations import check_number, pick_row
from newsft.page import report
from newsft.page.chooser import explain, explain_failure
from newsft.page.html import evaluation as views
from newsft.page.html.scores import draw_kinds, draw_scores
from newsft.page.html.xray import format_xray
from newsft.page.sessions import MODEL
from newsft.page.texts import say
from newsft.page.words import QUICK, Words, waiting

COLUMNS = ("row", "article", "kind", "base_score", "tuned_score", "gain", "read")
KINDS = ["number", "str", "str", "number", "number", "number", "str"]  # of the columns, as gr.Dataframe calls them
EXPORTS = ("csv", "json", "html")


class EvaluationHandlers:
    """What the tab's events do. The results are read and scored once, when the tab is first opened (a few seconds)."""

    def __init__(self, engine: Engine, rows: list[dict], folder: Path):
        self.engine, self.rows, self.folder = engine, rows, folder
        self._folder = tempfile.TemporaryDirectory(prefix="newsft-")  # deleted when the process ends
        self._results: Results | None = None
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._opened = False  # whether anybody has looked at it

    @property
    def results(self) -> Results:
        """The evaluation; UserError where the folder holds none that fits."""
        with self._lock:
            if self._results is None:
                self._results = load_results(self.folder, self.rows)
            return self._results

    def show(self, language: str, chosen: str) -> list:
        """Origin, picture, kinds, score table and the list of rows."""
        self._opened = True
        try:
            summary = self.results.summary
        except UserError as error:
            return [explain(error, language), "", "", "", self.show_list(language, chosen)]
        fits = summary["settings"]["adapter_fingerprint"] == self.engine.models.adapter_fingerprint
        return [
            views.format_origin(summary, language=language, fits=fits),
            draw_scores(summary, language=language),
            draw_kinds(summary, "stock_f1", language=language),
            views.format_scores(summary, tuple(MEASURES), language=language),
            self.show_list(language, chosen),
        ]

    def show_again(self, language: str, chosen: str) -> list:
        """The same in another language; nothing where nobody has opened the tab yet."""
        return self.show(language, chosen) if self._opened else [gr.skip()] * 5

    def export_again(self, language: str) -> list:
        """The exports in another language; nothing where nobody has opened the tab yet."""
        return [self.export(kind, language) if self._opened else gr.skip() for kind in EXPORTS]

    def show_list(self, language: str, chosen: str) -> dict:
        """The table of the rows that pass the filter."""
        try:
            found = views.list_rows(self.results.filtered(chosen), language=language)
        except UserError:
            found = []
        return gr.update(value=found, headers=_headers(language), label=say("row_list", language))

    def show_row(self, number: float | None, language: str) -> str:
        """One row with both answers beside the gold answer; empty before a row is chosen."""
        if number is None:
            return ""
        try:
            rows = self.results.rows
            check_number(rows, number)
        except UserError as error:
            return explain(error, language)
        return views.format_row(rows[int(number)], language=language)

    def xray(self, number: float | None, language: str) -> str:
        """The loss of every token of the row's gold answer, adapter off and on."""
        try:
            messages = pick_row(self.rows, number)
        except UserError:
            return ""  # said where the row is shown
        try:
            if not self.engine.capabilities.token_loss:
                said = "The loss of single tokens needs the model's own weights; start the page without --server."
                raise UserError(said, key="served")
            chat = self.engine.chat
            encoded = chat.encode_row(messages)
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
                part = path.with_suffix(
                    ".part"
                )  # written aside and renamed, so that a full disk leaves no half of an export
                if kind == "csv":
                    report.write_csv(results, part)
                elif kind == "json":
                    report.write_json(results, part)
                else:
                    report.write_html(results, part, language=language)
                part.replace(path)
        return str(path)


def build_evaluation_tab(
    engine: Engine, rows: list[dict], folder: Path, words: Words, *, tab: gr.Tab, language: gr.Radio
) -> None:
    """Build the tab."""
    handlers = EvaluationHandlers(engine, rows, folder)
    words.make(gr.Markdown, {"value": "evaluation_intro"})
    origin = words.make(gr.HTML, {}, first={"value": waiting("loading_evaluation")}, elem_id="origin")
    picture = gr.HTML(elem_id="scores")
    with gr.Row(elem_id="exports"):
        exports = [
            words.make(gr.DownloadButton, {"label": f"export_{kind}"}, elem_id=f"export-{kind}") for kind in EXPORTS
        ]
    with words.make(gr.Accordion, {"label": "score_details"}, open=False):
        words.make(gr.Markdown, {"value": "by_kind"})
        kinds, table = gr.HTML(), gr.HTML()
    chosen = words.make(gr.Radio, {"label": "filter", "choices": _filters}, value=FILTERS[0], elem_id="filter")
    look = {"interactive": False, "max_height": 420, "wrap": True}
    first = {"headers": _headers, "label": "row_list"}
    listing = words.make(gr.Dataframe, {}, first=first, datatype=KINDS, elem_id="rows", **look)
    label = {"label": lambda to: say("open_row", to, last=len(rows) - 1)}
    number = words.make(gr.Number, label, value=None, precision=0, elem_id="open-row")
    row = gr.HTML(elem_id="opened")
    with words.make(gr.Accordion, {"label": "xray"}, open=True, elem_id="xray"):
        words.make(gr.Markdown, {"value": "xray_intro"})
        xray = gr.HTML()

    shown = [origin, picture, kinds, table, listing]
    opened = tab.select(handlers.show, [language, chosen], shown, **QUICK)
    opened.then(lambda to: [handlers.export(kind, to) for kind in EXPORTS], language, exports, **QUICK)
    switched = language.change(handlers.show_again, [language, chosen], shown, **QUICK)
    switched.then(handlers.export_again, language, exports, **QUICK)
    last_counts = QUICK | {"trigger_mode": "always_last"}
    chosen.input(handlers.show_list, [language, chosen], listing, **last_counts)
    listing.select(_row_number, None, number, **QUICK)
    gr.on([number.change, language.change], handlers.show_row, [number, language], row, **last_counts)
    # One listener for everything that opens a row: with several, the answer to an earlier choice could arrive last and replace the newest.
    model = MODEL | {"trigger_mode": "always_last", "show_progress": "hidden", "api_visibility": "private"}
    row.change(handlers.xray, [number, language], xray, **model)


def _headers(language: str) -> list[str]:
    return [say(f"column_{name}", language) for name in COLUMNS]


def _filters(language: str) -> list[tuple[str, str]]:
    return [(say(f"filter_{name}", language), name) for name in FILTERS]


def _row_number(event: gr.SelectData) -> float:
    """The number of the row that was chosen in the table, wherever sorting has put it."""
    return int(event.row_value[0])
