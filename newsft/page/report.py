"""An evaluation's exports: every row as CSV, everything as JSON, and a report that one HTML file holds."""

import csv
import json
from html import escape
from pathlib import Path

from newsft.evaluation.answer import KEYS
from newsft.evaluation.comparison import describe_answer
from newsft.evaluation.metrics import MEASURES, ScoredAnswer
from newsft.evaluation.results import Results
from newsft.page.html import evaluation, scores
from newsft.page.texts import say
from newsft.paths import ASSETS

CSV_COLUMNS = "row kind side reason reading repairs problem score".split()
CSV_COLUMNS += [*(f"score_{key}" for key in KEYS), "text", "gold", "article"]
STYLE = ASSETS / "style.css"
# What the page's style sheet takes from Gradio, for a file that stands alone.
FRAME = """
:root { --border-color-primary: #c9ced6; --background-fill-primary: #fff; --background-fill-secondary: #f3f4f6; --body-text-color: #1a1d21; }
body { font-family: "Noto Sans KR", "Apple SD Gothic Neo", "Malgun Gothic", sans-serif; max-width: 1280px; margin: 0 auto; padding: 1rem; color: var(--body-text-color); line-height: 1.6; }
"""


def write_csv(results: Results, path: Path) -> None:
    """One line per row and side: text, how it ended and was read, and every field's score; in UTF-8 with a mark, as Excel wants it."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, CSV_COLUMNS, extrasaction="ignore")
        writer.writeheader()
        for row in results.rows:
            for side, one in row.answers.items():
                told = _describe(one)
                scores = {
                    f"score_{key}": "" if score is None else round(score, 4) for key, score in told["scores"].items()
                }
                texts = {"text": one.text, "gold": str(one.gold.values) if one.gold else "", "article": row.article}
                told |= {
                    "row": row.number,
                    "kind": one.kind,
                    "side": side,
                    "score": "" if told["score"] is None else round(told["score"], 4),
                }
                told |= {"repairs": "; ".join(one.answer.repairs), "problem": one.answer.problem or ""}
                writer.writerow(told | scores | {name: _inert(text) for name, text in texts.items()})


def _inert(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula; one apostrophe keeps it text."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def write_json(results: Results, path: Path) -> None:
    """The summary, and every row with article, gold answer and both scored answers."""
    rows = []
    for row in results.rows:
        told = {side: _describe(one) for side, one in row.answers.items()}
        source = {
            "row": row.number,
            "kind": row.last.kind,
            "article": row.article,
            "gold": row.last.gold and row.last.gold.values,
        }
        rows.append(source | {"answers": told})
    path.write_text(
        json.dumps(results.summary | {"answers": rows}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )


def _describe(one: ScoredAnswer) -> dict:
    told = describe_answer(one.text, one.reason, one.answer, one.compared) | {"score": one.score}
    return told if one.gold else told | {"scores": dict.fromkeys(told["scores"])}


def write_html(results: Results, path: Path, *, language: str) -> None:
    """The picture, the scores and every row, in one file that asks no other."""
    rows = ""
    for row in results.rows:
        summary = say("report_row", language, row=row.number, gain=row.gain * 100)
        title = row.article.strip().split("\n")[0][:60]
        shown = evaluation.format_row(row, language=language)
        rows += f"<details><summary>{escape(summary)} · {escape(title)}</summary>{shown}</details>"
    parts = [
        f"<h1>{say('report_title', language)}</h1>",
        evaluation.format_origin(results.summary, language=language),
        scores.draw_scores(results.summary, language=language),
        evaluation.format_scores(results.summary, tuple(MEASURES), language=language),
        f"<h2>{say('report_rows', language)}</h2>",
        f'<div id="answers">{rows}</div>',
    ]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{say("report_title", language)}</title><style>{FRAME}{STYLE.read_text(encoding="utf-8")}</style>'
    page = f'<html lang="{language}"><head>{head}</head><body>{"".join(parts)}</body></html>'
    path.write_text(f"<!doctype html>{page}\n", encoding="utf-8")
