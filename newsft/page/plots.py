"""A run's history and an adapter's growth -> the tables behind Gradio's line plots: one row a point."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from newsft.page.texts import say

# What a run's record may hold of every logged step, and how its values are written.
QUANTITIES = {"loss": ".3f", "learning_rate": ".2e", "grad_norm": ".3f", "tokens": ",.0f"}
X, Y = "step", "value"
# Told apart on white and on black: a contrast of 3 with either at least (WCAG 2.2, 1.4.11).
TRAINING, VALIDATION, THIRD = "#3478d4", "#d4660a", "#808691"
MARK = "#80869180"  # half of it shows through
BEYOND = 20  # times the plot's height: a vertical line ends so far out that no pointer is nearest to its end, which would then be told as a value


def list_quantities(run: dict | None) -> list[str]:
    """The quantities that a run's record holds: of earlier versions loss and learning rate alone."""
    held = {name for entry in (run or {}).get("history", []) for name in entry}
    return [name for name in QUANTITIES if name in held]


def plot_history(run: dict, quantity: str, *, kept: Sequence[int], language: str) -> dict:
    """What a gr.LinePlot needs to show one quantity of a run over its steps; `kept` are the steps that are marked."""
    lines = {say("line_training", language): [(one["step"], one[quantity]) for one in run["history"]]}
    colours = [TRAINING, VALIDATION]
    if quantity == "loss" and run.get("validation"):
        lines[say("line_validation", language)] = [(one["step"], one["loss"]) for one in run["validation"]]
    if quantity == "grad_norm" and (limit := run["recipe"].get("max_grad_norm")):
        lines[say("line_limit", language)] = [(0, limit), (run["steps"], limit)]
    return _plot(lines, colours, kept=kept, title=say(f"quantity_{quantity}", language), language=language)


def plot_growth(points: Sequence[dict], measures: Sequence[str], *, language: str) -> dict:
    """What a gr.LinePlot needs to show some measures, in percent, over the steps of an adapter's growth."""
    lines = {
        say(f"measure_{name}", language): [
            (point["step"], point[name] * 100) for point in points if point[name] is not None
        ]
        for name in measures
    }
    return _plot(lines, [VALIDATION, TRAINING, THIRD], kept=(), title="%", language=language, top=100.0)


def _plot(
    lines: dict[str, list],
    colours: list[str],
    *,
    kept: Sequence[int],
    title: str,
    language: str,
    top: float | None = None,
) -> dict:
    top = top or max((value for points in lines.values() for _, value in points), default=0) * 1.05 or 1.0
    colours = dict(zip(lines, colours, strict=False))
    rows = [(step, value, name) for name, points in lines.items() for step, value in points]
    if kept:
        name = say("line_kept", language)
        colours[name] = MARK
        for step in kept:  # a value that is none ends each line
            rows += [(step, -BEYOND * top, name), (step, BEYOND * top, name), (step, np.nan, name)]
    line = say("plot_line", language)  # the tooltip says the column's own name
    return {
        "value": pd.DataFrame(rows, columns=[X, Y, line]),
        "color": line,
        "color_title": line,
        "color_map": colours,
        "x_lim": [0, max((step for step, *_ in rows), default=1)],
        "y_lim": [0, top],
        "x_title": say("plot_step", language),
        "y_title": title,
    }
