"""An evaluation's scores -> a picture that reads across a room, drawn by matplotlib as SVG with the page's own letters and colours."""

import io
import re
import threading
import warnings
from dataclasses import dataclass
from html import escape

from newsft.page.texts import say

SHOWN = (
    "readable",
    "is_stock_related_accuracy",
    "stock_f1",
    "direction_accuracy",
    "grounded",
    "words_in_article",
    "numbers_in_article",
    "from_one_sentence",
)
KINDS = ("positive", "negative", "both", "unrelated")
INK = "#010203"  # becomes the page's text colour
COLOURS = {"base": "#010204", "tuned": "#010205"}  # become the page's colours of the two sides
SWAPS = {INK: "currentColor", COLOURS["base"]: "var(--base, #0b5cad)", COLOURS["tuned"]: "var(--tuned, #b34700)"}
ABOVE, BELOW = 0.5, 0.6  # inches for the legend, and for the numbers on the axis
HATCHES = {"base": "////", "tuned": ""}  # the sides must be told apart without colour
INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
STYLE = dict.fromkeys(INKED, INK) | {
    "svg.fonttype": "none",
    "font.size": 15,
    "hatch.linewidth": 1.2,
}

DRAWING = threading.Lock()  # matplotlib's settings are one for all threads


@dataclass(frozen=True)
class Layout:
    """Where the parts of a picture stand: shares of its width, and of a row's height; the names beside the bars, or `above` them."""

    name: str
    width: float  # inches, as is `row`
    row: float
    left: float
    across: float
    thick: float
    above: float = 0.0


# On a narrow screen the names stand above their bars, so that the letters stay as large as the page's own.
LAYOUTS = (Layout("wide", 11, 0.82, 0.3, 0.63, 0.36), Layout("narrow", 5.4, 1.16, 0.03, 0.85, 0.28, above=0.27))

Bar = tuple[float | None, list[float] | None]  # a share between 0 and 1, and its interval


def draw_scores(summary: dict, *, language: str) -> str:
    """Bars with 95 % intervals for both sides, as SVG with a text alternative."""
    sides = [side for side in ("base", "tuned") if side in summary]
    bars = {side: [(summary[side][name], summary[side]["intervals"][name]) for name in SHOWN] for side in sides}
    labels = [say(f"measure_{name}", language) for name in SHOWN]
    return _draw(labels, bars, language=language)


def draw_kinds(summary: dict, measure: str, *, language: str) -> str:
    """One measure by kind of article, for both sides."""
    by_kind = {side: summary[side]["kinds"] for side in ("base", "tuned") if side in summary}
    first = next(iter(by_kind.values()))
    kinds = [kind for kind in KINDS if all(held.get(kind, {}).get(measure) is not None for held in by_kind.values())]
    bars = {
        side: [(held[kind][measure], held[kind]["intervals"][measure]) for kind in kinds]
        for side, held in by_kind.items()
    }
    return _draw(
        [f"{say(f'kind_{kind}', language)} ({first[kind]['rows']})" for kind in kinds], bars, language=language
    )


def _draw(labels: list[str], bars: dict[str, list[Bar]], *, language: str) -> str:
    """The picture twice, for a wide and for a narrow screen; the style sheet shows one of them."""
    drawn = "".join(_draw_as(layout, labels, bars, language=language) for layout in LAYOUTS)
    return f'<div class="chart" role="img" aria-label="{escape(_describe(labels, bars, language))}">{drawn}</div>'


def _draw_as(layout: Layout, labels: list[str], bars: dict[str, list[Bar]], *, language: str) -> str:
    import matplotlib
    from matplotlib.figure import Figure

    # Each picture has ids of its own: a pattern that only a hidden picture holds is not painted.
    style = STYLE | {"svg.hashsalt": f"newsft-{layout.name}"}
    with DRAWING, matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Glyph .* missing"
        )  # matplotlib's font need not have Hangul: the browser draws the letters
        height = ABOVE + BELOW + layout.row * len(labels)
        figure = Figure(figsize=(layout.width, height))
        figure.patch.set_alpha(0)
        axes = figure.add_axes((layout.left, BELOW / height, layout.across, 1 - (ABOVE + BELOW) / height))
        for number, (side, values) in enumerate(bars.items()):
            offset = (number - (len(bars) - 1) / 2) * (layout.thick + 0.04) + layout.above / 2
            _draw_side(axes, side, values, offset=offset, thick=layout.thick, name=say(side, language))
        axes.set_yticks(range(len(labels)), [] if layout.above else labels)
        for row, label in enumerate(labels if layout.above else []):
            axes.text(0.7, row - layout.above, label, va="center")
        axes.set(xlim=(0, 100), ylim=(len(labels) - 0.5, -0.5), xlabel="%")
        axes.patch.set_alpha(0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(left=False)
        axes.grid(axis="x", alpha=0.25)
        figure.legend(
            loc="upper left", bbox_to_anchor=(layout.left - 0.01, 1), ncols=len(bars), frameon=False, fontsize=15
        )
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None})
    return _adopt(text.getvalue(), name=layout.name)


def _draw_side(axes, side: str, values: list[Bar], *, offset: float, thick: float, name: str) -> None:
    known = [(row, *bar) for row, bar in enumerate(values) if bar[0] is not None]
    shown = [(row + offset, share, interval or (share, share)) for row, share, interval in known]
    places, widths = [place for place, _, _ in shown], [share * 100 for _, share, _ in shown]
    below = [max(share - low, 0) * 100 for _, share, (low, _) in shown]
    above = [max(high - share, 0) * 100 for _, share, (_, high) in shown]
    interval = {"xerr": [below, above], "error_kw": {"ecolor": INK, "capsize": 4, "elinewidth": 1.4}}
    look = {"color": COLOURS[side], "hatch": HATCHES[side], "edgecolor": INK, "linewidth": 0.6}
    bars = axes.barh(places, widths, height=thick, label=name, **look, **interval)
    axes.bar_label(bars, [f"{width:.1f}" for width in widths], padding=5, fontsize=14)
    for row, (share, _) in enumerate(values):
        if share is None:  # nothing to measure, as in answers that cannot be read
            axes.text(0.7, row + offset, "–", va="center", fontsize=14)


def _adopt(svg: str, *, name: str) -> str:
    """The SVG element alone, with the page's font and colours."""
    svg = svg[svg.index("<svg") :]
    for colour, page in SWAPS.items():
        svg = svg.replace(colour, page)
    svg = re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font: \1px inherit; font-family: inherit", svg)
    svg = re.sub(
        r'<svg [^>]*viewBox="([^"]*)"[^>]*>',
        rf'<svg class="{name}" aria-hidden="true" viewBox="\1">',
        svg,
        count=1,
    )
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)


def _describe(labels: list[str], bars: dict[str, list], language: str) -> str:
    lines = []
    for row, label in enumerate(labels):
        values = [
            f"{say(side, language)} {'–' if values[row][0] is None else f'{values[row][0] * 100:.1f} %'}"
            for side, values in bars.items()
        ]
        lines.append(f"{label}: {', '.join(values)}")
    return ". ".join(lines)
