"""The scores of an evaluation as a Markdown table."""

from newsft.evaluation import metrics


def format_table(summary: dict) -> str:
    """The scores as a Markdown table: base, tuned and the difference, each with its interval."""
    sides = [side for side in ("base", "tuned") if side in summary]
    columns = [*sides, *(["difference"] if "difference" in summary else [])]
    blank = [""] * (len(columns) - len(sides))
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    if "data" in summary:  # evaluations of earlier versions do not say
        lines.append(f"| data | {summary['data']} |" + " |" * (len(columns) - 1))
    for name in metrics.MEASURES:
        cells = [_cell(summary[side][name], summary[side]["intervals"][name]) for side in sides]
        if "difference" in summary:
            found = summary["difference"][name]
            cells.append(_cell(found["difference"], found["interval"], signed=True) if found else "–")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for kind in ("positive", "negative", "both"):
        held = [summary[side]["kinds"].get(kind, {"rows": 0, "stock_f1": None}) for side in sides]
        cells = ["–" if one["stock_f1"] is None else f"{one['stock_f1'] * 100:.1f} %" for one in held]
        lines.append(f"| stock_f1, {kind} ({held[0]['rows']} rows) | " + " | ".join(cells + blank) + " |")
    for name in ("readings", "problems", "stop_reasons"):
        counts = [", ".join(f"{what} {count}" for what, count in summary[side][name].items()) for side in sides]
        lines.append(f"| {name} | " + " | ".join(counts + blank) + " |")
    return "\n".join(lines)


def _cell(value: float | None, interval: list[float] | None, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    sign = "+" if signed else ""
    return f"{value * 100:{sign}.1f} % ({interval[0] * 100:{sign}.1f} to {interval[1] * 100:{sign}.1f})"
