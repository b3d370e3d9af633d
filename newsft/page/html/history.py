"""What a run has written down of its steps -> HTML: where it comes from, and a table for those who do not see the plot."""

from collections.abc import Collection, Sequence
from html import escape

from newsft.page.html.table import format_table
from newsft.page.texts import say

FORMATS = {"loss": ".3f", "learning_rate": ".2e", "grad_norm": ".3f", "tokens": ",.0f"}  # quantity -> how it is written


def format_origin(run: dict, quantities: Sequence[str], *, language: str) -> str:
    """When, how long and on what the run was made, and which quantities its record lacks."""
    told = {"date": run.get("date", "–"), "steps": run["steps"], "rows": run["rows"], "device": run.get("device", "–")}
    line = say("history_origin", language, minutes=run.get("seconds", 0) / 60, **told)
    missing = [say(f"quantity_{name}", language) for name in FORMATS if name not in quantities]
    note = f"<p>{say('history_missing', language, names=', '.join(missing))}</p>" if missing else ""
    return f'<div class="footer"><p>{escape(line)}</p>{note}</div>'


def format_history(run: dict, quantities: Sequence[str], *, kept: Collection[int], language: str) -> str:
    """A line for every step at which something was written down; those at which the adapter was kept are marked."""
    logged = {one["step"]: one for one in run["history"]}
    validation = {one["step"]: one["loss"] for one in run.get("validation", [])}
    heads = [say("plot_step", language), *(say(f"quantity_{name}", language) for name in quantities)]
    if validation:
        heads.append(say("line_validation", language))
    rows = []
    for step in sorted({*logged, *validation, *kept}):
        mark = f" <small>{say('line_kept', language)}</small>" if step in kept else ""
        cells = [_write(logged.get(step, {}).get(name), FORMATS[name]) for name in quantities]
        rows.append([f"{step}{mark}", *cells, *([_write(validation.get(step), ".3f")] if validation else [])])
    return format_table(heads, rows, kind="scores", label=say("history_table", language))


def _write(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
