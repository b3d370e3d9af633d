"""An evaluation's scores -> a picture that reads across a room, drawn by matplotlib as SVG with the page's own letters and colours."""

import io
import re
import warnings
from html import escape

from newsft.page.texts import say

SHOWN = ("readable", "is_stock_related_accuracy", "stock_f1", "direction_accuracy", "grounded", "words_in_article", "numbers_in_article")
KINDS = ("positive", "negative", "both", "unrelated")
INK = "#010203"  # becomes the page's text colour
COLOURS = {"base": "#010204", "tuned": "#010205"}  # become the page's colours of the two sides
SWAPS = {INK: "currentColor", COLOURS["base"]: "var(--base, #0b5cad)", COLOURS["tuned"]: "var(--tuned, #b34700)"}
ABOVE, BELOW = 0.5, 0.6  # inches for the legend, and for the numbers on the axis
HATCHES = {"base": "////", "tuned": ""}  # the sides must not hang on colour


def draw_scores(summary: dict, *, language: str) -> str:
    """Bars with 95 % intervals for both sides, as an SVG element with a text alternative."""
    sides = [side for side in ("base", "tuned") if side in summary]
    bars = {side: [(summary[side][name], summary[side]["intervals"][name]) for name in SHOWN] for side in sides}
    labels = [say(f"measure_{name}", language) for name in SHOWN]
    return _draw(labels, bars, language=language)


def draw_kinds(summary: dict, measure: str, *, language: str) -> str:
    """One measure by kind of article, for both sides."""
    sides = [side for side in ("base", "tuned") if side in summary]
    kinds = [kind for kind in KINDS if all(summary[side]["kinds"].get(kind, {}).get(measure) is not None for side in sides)]
    bars = {side: [(summary[side]["kinds"][kind][measure], summary[side]["kinds"][kind]["intervals"][measure]) for kind in kinds] for side in sides}
    labels = [f"{say(f'kind_{kind}', language)} ({summary[sides[0]]['kinds'][kind]['rows']})" for kind in kinds]
    return _draw(labels, bars, language=language)


def _draw(labels: list[str], bars: dict[str, list], *, language: str) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    style = {"svg.fonttype": "none", "font.size": 15, "hatch.linewidth": 1.2, "svg.hashsalt": "newsft"} | dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    )
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser draws the letters
        height = ABOVE + BELOW + 0.82 * len(labels)
        figure = Figure(figsize=(11, height))
        figure.patch.set_alpha(0)
        axes = figure.add_axes((0.3, BELOW / height, 0.63, 1 - (ABOVE + BELOW) / height))
        for number, (side, values) in enumerate(bars.items()):
            _draw_side(axes, side, values, offset=(number - (len(bars) - 1) / 2) * 0.4, name=say(side, language))
        axes.set_yticks(range(len(labels)), labels)
        axes.set(xlim=(0, 100), ylim=(len(labels) - 0.5, -0.5), xlabel="%")
        axes.patch.set_alpha(0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(left=False)
        axes.grid(axis="x", alpha=0.25)
        figure.legend(loc="upper left", bbox_to_anchor=(0.29, 1), ncols=len(bars), frameon=False, fontsize=15)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return _adopt(text.getvalue(), alternative=_describe(labels, bars, language))


def _draw_side(axes, side: str, values: list, *, offset: float, name: str) -> None:
    shown = [(row, value * 100, interval) for row, (value, interval) in enumerate(values) if value is not None]
    widths = [value for _, value, _ in shown]
    bars = axes.barh([row + offset for row, _, _ in shown], widths, height=0.36, color=COLOURS[side], label=name, hatch=HATCHES[side], edgecolor=INK, linewidth=0.6)
    for bar, (row, value, interval) in zip(bars, shown, strict=True):
        end = value
        if interval:
            low, high = (limit * 100 for limit in interval)
            axes.errorbar(value, row + offset, xerr=[[max(value - low, 0)], [max(high - value, 0)]], color=INK, capsize=4, linewidth=1.4)
            end = max(high, value)
        axes.text(min(end, 100) + 1, bar.get_y() + bar.get_height() / 2, f"{value:.1f}", va="center", fontsize=14, clip_on=False)


def _adopt(svg: str, *, alternative: str) -> str:
    """The SVG element alone, with the page's font and colours."""
    svg = svg[svg.index("<svg") :]
    for colour, page in SWAPS.items():
        svg = svg.replace(colour, page)
    svg = re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font: \1px inherit; font-family: inherit", svg)
    svg = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', rf'<svg class="chart" role="img" viewBox="\1" aria-label="{escape(alternative)}">', svg, count=1)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)


def _describe(labels: list[str], bars: dict[str, list], language: str) -> str:
    lines = []
    for row, label in enumerate(labels):
        values = [f"{say(side, language)} {'–' if values[row][0] is None else f'{values[row][0] * 100:.1f} %'}" for side, values in bars.items()]
        lines.append(f"{label}: {', '.join(values)}")
    return ". ".join(lines)
