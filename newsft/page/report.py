"""An evaluation's exports: every row as CSV, everything as JSON, and a report that one HTML file holds."""

import csv
import json
from html import escape
from pathlib import Path

from newsft.evaluation.answer import KEYS
from newsft.evaluation.metrics import MEASURES, ScoredAnswer
from newsft.evaluation.results import Results
from newsft.page.html import evaluation, scores
from newsft.page.texts import say
from newsft.paths import ASSETS

STYLE = ASSETS / "style.css"
# What the page's style sheet takes from Gradio, for a file that stands alone.
FRAME = """
:root { --border-color-primary: #c9ced6; --background-fill-primary: #fff; --background-fill-secondary: #f3f4f6; --body-text-color: #1a1d21; }
body { font-family: "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; max-width: 1280px; margin: 0 auto; padding: 1rem; color: var(--body-text-color); line-height: 1.6; }
"""


def write_csv(results: Results, path: Path) -> None:
    """One line per row and side: text, how it ended and was read, and every field's score; in UTF-8 with a mark, as Excel wants it."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "kind", "side", "reason", "reading", "repairs", "problem", "score", *(f"score_{key}" for key in KEYS), "text", "gold", "article"])
        for row in results.rows:
            for side, one in row.answers.items():
                found = [one.compared.fields[key].score for key in KEYS]
                writer.writerow(
                    [row.number, one.kind, side, one.reason, one.answer.reading, "; ".join(one.answer.repairs), one.answer.problem or "", round(one.compared.score, 4)]
                    + ["" if score is None else round(score, 4) for score in found]
                    + [_inert(text) for text in (one.text, str(one.gold.values), row.article)]
                )


def _inert(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; one apostrophe keeps it text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_json(results: Results, path: Path) -> None:
    """The summary, and every row with article, gold answer and both scored answers."""
    rows = [
        {
            "row": row.number,
            "kind": row.last.kind,
            "article": row.article,
            "gold": row.last.gold.values,
            "answers": {side: _describe(one) for side, one in row.answers.items()},
        }
        for row in results.rows
    ]
    path.write_text(json.dumps(results.summary | {"answers": rows}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _describe(one: ScoredAnswer) -> dict:
    return {
        "text": one.text,
        "reason": one.reason,
        "reading": one.answer.reading,
        "repairs": list(one.answer.repairs),
        "problem": one.answer.problem,
        "fields": one.answer.values,
        "scores": {key: found.score for key, found in one.compared.fields.items()},
        "score": one.compared.score,
        "ungrounded": one.compared.ungrounded,
        "foreign": list(one.compared.faithfulness.foreign),
    }


def write_html(results: Results, path: Path, *, language: str) -> None:
    """The picture, the scores and every row, in one file that asks no other."""
    rows = "".join(
        f"<details><summary>{escape(say('report_row', language, row=row.number, gain=row.gain * 100))} · {escape(row.article.strip().split(chr(10))[0][:60])}</summary>{evaluation.format_row(row, language=language)}</details>"
        for row in results.rows
    )
    parts = [
        f"<h1>{say('report_title', language)}</h1>",
        evaluation.format_origin(results.summary, language=language),
        scores.draw_scores(results.summary, language=language),
        evaluation.format_scores(results.summary, tuple(MEASURES), language=language),
        f"<h2>{say('report_rows', language)}</h2>",
        f'<div id="answers">{rows}</div>',
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{say("report_title", language)}</title><style>{FRAME}{STYLE.read_text(encoding="utf-8")}</style>'
    path.write_text(f'<!doctype html><html lang="{language}"><head>{head}</head><body>{"".join(parts)}</body></html>\n', encoding="utf-8")
