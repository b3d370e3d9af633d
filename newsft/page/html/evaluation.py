"""An evaluation -> HTML: what it was made from, its scores as a table, and one row with both answers beside the gold answer."""

from collections.abc import Sequence
from html import escape

from newsft.evaluation.answer import KEYS
from newsft.evaluation.fields import differing_keys
from newsft.evaluation.results import Row
from newsft.page.html.compare import format_answer, format_gold
from newsft.page.html.fields import format_fields
from newsft.page.texts import say


def format_origin(summary: dict, *, language: str, fits: bool = True) -> str:
    """When and with what the evaluation was made; `fits` says whether it is of the adapter that is loaded."""
    settings, versions = summary["settings"], summary["versions"]
    line = say(
        "evaluation_origin",
        language,
        date=summary["date"],
        rows=settings["rows"],
        adapter=settings["adapter_fingerprint"] or "–",
        versions=", ".join(f"{name} {version}" for name, version in versions.items()),
    )
    warning = "" if fits else f'<p class="problem" role="alert">{say("evaluation_of_another", language)}</p>'
    return f'{warning}<p class="footer">{escape(line)}</p>'


def format_scores(summary: dict, measures: Sequence[str], *, language: str) -> str:
    """Every measure with its meaning, its values and 95 % intervals, and the paired difference."""
    sides = [side for side in ("base", "tuned") if side in summary]
    head = "".join(f'<th scope="col">{say(side, language)}</th>' for side in sides)
    differs = "difference" in summary
    head += f'<th scope="col">{say("paired_difference", language)}</th>' if differs else ""
    rows = []
    for name in measures:
        cells = [_cell(summary[side][name], summary[side]["intervals"][name], language) for side in sides]
        if differs:
            found = summary["difference"][name]
            cells.append(_cell(found["difference"], found["interval"], language, signed=True) if found else "<td>–</td>")
        rows.append(f'<tr><th scope="row">{say(f"measure_{name}", language)}<br><small>{say(f"about_{name}", language)}</small></th>{"".join(cells)}</tr>')
    for key in KEYS:
        cells = [_cell(summary[side]["fields"][key]["score"], summary[side]["fields"][key]["interval"], language) for side in sides]
        label = say("related" if key == "is_stock_related" else key, language)
        rows.append(f'<tr><th scope="row">{say("field", language, name=label)}<br><small>{key}</small></th>{"".join(cells)}{"<td></td>" if differs else ""}</tr>')
    for name, words in (("readings", _say_reading), ("stop_reasons", say)):
        counts = "".join(f"<td>{'<br>'.join(f'{words(what, language)} {count}' for what, count in summary[side][name].items())}</td>" for side in sides)
        rows.append(f'<tr><th scope="row">{say(name, language)}</th>{counts}{"<td></td>" if differs else ""}</tr>')
    return f'<div class="scroll"><table class="scores"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _say_reading(reading: str, language: str) -> str:
    if reading in ("strict", "unreadable"):
        return say(f"reading_{reading}", language)
    return " + ".join(say(f"repair_{name}", language) for name in reading.split(" + "))


def _cell(value: float | None, interval: list[float] | None, language: str, *, signed: bool = False) -> str:
    if value is None:
        return "<td>–</td>"
    sign = "+" if signed else ""
    limits = f"<br><small>{say('interval', language, low=f'{interval[0] * 100:{sign}.1f}', high=f'{interval[1] * 100:{sign}.1f}')}</small>" if interval else ""
    return f"<td>{value * 100:{sign}.1f} %{limits}</td>"


def list_rows(rows: Sequence[Row], *, language: str) -> list[list]:
    """The rows as a table: number, beginning of the article, kind, both sides' scores and the gain in percent, how the last answer was read."""
    scores = [{side: round(one.compared.score * 100) for side, one in row.answers.items()} for row in rows]
    return [
        [
            row.number,
            row.article.strip().split("\n")[0][:40],
            say(f"kind_{row.last.kind}", language),
            *(score.get(side) for side in ("base", "tuned")),
            score["tuned"] - score["base"] if len(score) == 2 else None,  # of the rounded ones, which stand beside it
            _say_reading(" + ".join(row.last.answer.repairs) or row.last.answer.reading, language),
        ]
        for row, score in zip(rows, scores, strict=True)
    ]


def format_row(row: Row, *, language: str) -> str:
    """One row open: the article, folded, both answers scored field by field, and the gold answer."""
    differing = differing_keys(*(one.answer for one in row.answers.values())) if len(row.answers) == 2 else set()
    columns = []
    for side, one in row.answers.items():
        fields = format_fields(one.answer, one.compared, language=language, gold=one.gold, differing=differing)
        columns.append(format_answer(side, one.text, fields, stats=say(one.reason, language), language=language))
    kind = say(f"kind_{one.kind}", language)
    heading = f"<h3>{say('row_heading', language, row=row.number, kind=kind)}</h3>"
    article = f'<details><summary>{say("article", language)}</summary><p class="article">{escape(row.article)}</p></details>'
    return f'{heading}{article}<div class="columns">{"".join(columns)}</div>{format_gold(one.gold, row.number, language=language)}'
