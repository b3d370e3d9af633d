"""An evaluation -> HTML: what it was made from, its scores as a table, and one row with both answers beside the gold answer."""

from collections.abc import Sequence
from html import escape

from newsft.evaluation.answer import KEYS
from newsft.evaluation.fields import differing_keys
from newsft.evaluation.results import Row
from newsft.page.html.compare import format_answer, format_gold
from newsft.page.html.fields import format_fields
from newsft.page.html.table import format_table
from newsft.page.texts import say


def format_origin(summary: dict, *, language: str, fits: bool = True) -> str:
    """When and with what the evaluation was made; `fits` says whether it is of the adapter that is loaded."""
    settings, versions = summary["settings"], summary["versions"]
    told = {"date": summary["date"], "rows": settings["rows"], "adapter": settings["adapter_fingerprint"] or "–"}
    line = say(
        "evaluation_origin",
        language,
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
        **told,
    )
    warning = "" if fits else f'<p class="problem" role="alert">{say("evaluation_of_another", language)}</p>'
    return f'{warning}<p class="footer">{escape(line)}</p>'


def format_scores(summary: dict, measures: Sequence[str], *, language: str) -> str:
    """Every measure with its meaning, its values and 95 % intervals, and the paired difference."""
    sides = [side for side in ("base", "tuned") if side in summary]
    heads, blank, rows = ["", *(say(side, language) for side in sides)], [], []
    if "difference" in summary:
        heads.append(say("paired_difference", language))
        blank.append("")
    for name in measures:
        heading = f"{say(f'measure_{name}', language)}<br><small>{say(f'about_{name}', language)}</small>"
        cells = [_format_score(summary[side][name], summary[side]["intervals"][name], language) for side in sides]
        if blank:
            found = summary["difference"][name] or {"difference": None, "interval": None}
            cells.append(_format_score(found["difference"], found["interval"], language, signed=True))
        rows.append([heading, *cells])
    for key in KEYS:
        label = say("related" if key == "is_stock_related" else key, language)
        scores = [summary[side]["fields"][key] for side in sides]
        cells = [_format_score(found["score"], found["interval"], language) for found in scores]
        rows.append([f"{say('field', language, name=label)}<br><small>{key}</small>", *cells, *blank])
    for name, words in (("readings", _say_reading), ("stop_reasons", say)):
        counts = [[f"{words(what, language)} {count}" for what, count in summary[side][name].items()] for side in sides]
        rows.append([say(name, language), *map("<br>".join, counts), *blank])
    return format_table(heads, rows, kind="scores")


def _say_reading(reading: str, language: str) -> str:
    if reading in ("strict", "unreadable"):
        return say(f"reading_{reading}", language)
    return " + ".join(say(f"repair_{name}", language) for name in reading.split(" + "))


def _format_score(value: float | None, interval: list[float] | None, language: str, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    sign = "+" if signed else ""
    low, high = (f"{limit * 100:{sign}.1f}" for limit in interval or (0, 0))
    limits = f"<br><small>{say('interval', language, low=low, high=high)}</small>" if interval else ""
    return f"{value * 100:{sign}.1f} %{limits}"


def list_rows(rows: Sequence[Row], *, language: str) -> list[list]:
    """The rows as a table: number, beginning of the article, kind, both sides' scores and the gain in percent, how the last answer was read."""
    lines = []
    for row in rows:
        scores = {side: None if one.score is None else round(one.score * 100) for side, one in row.answers.items()}
        gain = (
            scores["tuned"] - scores["base"] if len(scores) == 2 and None not in scores.values() else None
        )  # of the rounded scores, so that the line adds up
        title, kind = row.article.strip().split("\n")[0][:40], say(f"kind_{row.last.kind}", language)
        read = _say_reading(" + ".join(row.last.answer.repairs) or row.last.answer.reading, language)
        lines.append([row.number, title, kind, scores.get("base"), scores.get("tuned"), gain, read])
    return lines


def format_row(row: Row, *, language: str) -> str:
    """One row open: the article, folded, both answers scored field by field, and the gold answer."""
    differing = differing_keys(*(one.answer for one in row.answers.values())) if len(row.answers) == 2 else set()
    columns = []
    for side, one in row.answers.items():
        fields = format_fields(one.answer, one.compared, language=language, gold=one.gold, differing=differing)
        columns.append(format_answer(side, one.text, fields, stats=say(one.reason, language), language=language))
    kind = say(f"kind_{one.kind}", language)
    heading = f"<h3>{say('row_heading', language, row=row.number, kind=kind)}</h3>"
    article = (
        f'<details><summary>{say("article", language)}</summary><p class="article">{escape(row.article)}</p></details>'
    )
    gold = (
        format_gold(one.gold, row.number, language=language) if one.gold else f"<p>{say('gold_unread', language)}</p>"
    )
    return f'{heading}{article}<div class="columns">{"".join(columns)}</div>{gold}'
