"""A run's settings, its arithmetic, and what LoRA adds to the model -> HTML."""

from collections.abc import Collection
from dataclasses import fields
from html import escape

from newsft.lessons.arithmetic import Arithmetic
from newsft.page.html.lab import format_code
from newsft.page.html.table import format_table
from newsft.page.texts import say, setting
from newsft.paths import public_path
from newsft.recipe import Recipe

DEFAULTS = Recipe()  # the lesson's


def format_settings(recipe: Recipe, *, language: str, known: Collection[str] | None = None) -> str:
    """Every setting: its value, the lesson's, what it is, and what changes if it is doubled or set otherwise.

    `known` are the settings that are known of an adapter that was made elsewhere; None where all are.
    """
    heads = [say(f"settings_{name}", language) for name in ("name", "value", "lesson", "what", "change")]
    rows = []
    for field in fields(Recipe):
        if field.name == "name":
            continue
        said = setting(field.name, language)
        value, lesson = (show_value(getattr(one, field.name)) for one in (recipe, DEFAULTS))
        shown = escape(value) if value == lesson else f"<strong>{escape(value)}</strong>"
        if known is not None and field.name not in known:
            shown = say("settings_unknown", language)
        what = format_code(said.get("what", field.metadata["why"]))
        cells = [shown, escape(lesson), what, format_code(said["change"])]
        rows.append([f"<code>--{field.name.replace('_', '-')}</code>", *cells])
    return _label_cells(format_table(heads, rows, kind="settings"), heads)


def show_value(value: object) -> str:
    """A setting's value as a reader writes it."""
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "–"
    return f"{value:g}" if isinstance(value, float) else public_path(str(value))


def format_arithmetic(run: Arithmetic, *, available: int, language: str) -> str:
    """The formula with its numbers, and the tokens that the run sees and trains."""
    factors = [run.batch_size, run.accumulation] + [run.processes] * (run.processes > 1)
    exact = run.rows / run.rows_per_update
    rounded = "" if run.per_epoch == exact else f"{exact:,.2f} → "
    per_epoch = f"{run.rows:,} ÷ ({' × '.join(map(str, factors))}) = {rounded}{run.per_epoch:,}"
    lines = [
        (say("arithmetic_epoch", language), per_epoch),
        (
            say("arithmetic_updates", language),
            f"{run.per_epoch:,} × {run.epochs} = <strong>{run.updates:,}</strong>",
        ),
    ]
    share = run.trained / run.tokens
    terms = "".join(f"<dt>{name}</dt><dd>{formula}</dd>" for name, formula in lines)
    notes = [say("arithmetic_rows", language, rows=run.rows_per_update, available=available)]
    if run.rows_in_last != run.rows_per_update:
        notes.append(say("arithmetic_last", language, rows=run.rows_in_last))
    figures = {"tokens": run.tokens, "trained": run.trained, "share": share * 100, "mean": run.tokens / run.updates}
    bar = f'<div class="share" aria-hidden="true"><span style="width:{share * 100:.2f}%"></span></div>'
    said = f"<p>{' '.join(notes)}</p><p>{say('arithmetic_tokens', language, **figures)}</p>"
    return f'<div class="arithmetic" role="status"><dl>{terms}</dl>{said}{bar}</div>'


def _label_cells(table: str, heads: list[str]) -> str:
    """The table with each cell naming its column, for the narrow screens on which a row is a block of lines."""
    parts = table.split("<tr>")
    labelled = []
    for part in parts:
        for head in heads[1:]:
            part = part.replace("<td>", f'<td data-head="{escape(head)}">', 1)
        labelled.append(part)
    return "<tr>".join(labelled)
