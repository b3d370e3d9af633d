"""A row's loss per token -> HTML: the answer once per side and once as the difference, each token tinted by what it costs."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from newsft.encoding.row import IGNORED
from newsft.encoding.tokens import Token
from newsft.inference.types import Xray
from newsft.page.html.table import format_table
from newsft.page.html.tokens import show_text
from newsft.page.texts import say

DEAR = 6.0  # nats (natural log of 1 / probability) from which the tint is full: 6 nats are a probability of 1 in 400
SLIGHT = 0.5  # nats up to which a token counts as neither easier nor harder
DEAREST = 8  # tokens in the table


def format_xray(xray: Xray, tokens: Sequence[Token], *, language: str) -> str:
    """The means of every side, with and without the prompt, and the answer's tokens tinted by their loss."""
    sides = list(xray.losses)
    heads = ["", say("xray_labels", language), say("xray_prompt_too", language)]
    means = [
        [say(side, language), _number(xray.mean(side)), _number(xray.mean(side, prompt_too=True))] for side in sides
    ]
    note = say("xray_note", language)
    panes = [_pane(say(side, language), note, xray.losses[side], tokens, signed=False) for side in sides]
    if len(sides) == 2:
        title, note = say("xray_difference", language), say("xray_difference_note", language)
        panes.append(_pane(title, note, xray.gains(), tokens, signed=True))
    table = format_table(heads, means, kind="proof")
    return f'<div class="xray">{table}{"".join(panes)}{_table(xray, tokens, language)}</div>'


def _pane(title: str, note: str, losses: Sequence[float | None], tokens: Sequence[Token], *, signed: bool) -> str:
    spans = []
    for _, group in groupby(tokens, key=lambda token: token.group):
        group = list(group)
        found = [
            losses[token.position] for token in group if token.label != IGNORED and losses[token.position] is not None
        ]
        if found:  # the cost of a syllable that is spread over several tokens is the sum of theirs
            spans.append(_span(show_text(group[0].text), sum(found), signed))
    return f'<figure><figcaption><strong>{title}</strong> {note}</figcaption><p class="tinted">{"".join(spans)}</p></figure>'


def _span(text: str, loss: float, signed: bool) -> str:
    share = round(min(abs(loss) / DEAR, 1) * 100)
    kind = "cost" if not signed else "gain" if loss >= SLIGHT else "dearer" if loss <= -SLIGHT else "even"
    number = f"{loss:+.2f}" if signed else f"{loss:.2f}"
    return f'<span class="{kind}" style="--share:{share}%" title="{number}">{escape(text)}</span>'


def _table(xray: Xray, tokens: Sequence[Token], language: str) -> str:
    """The dearest tokens in figures: a tint says little to who cannot see it."""
    sides = list(xray.losses)
    labelled = [
        token for token in tokens if token.label != IGNORED and xray.losses[sides[0]][token.position] is not None
    ]
    dearest = sorted(labelled, key=lambda token: -xray.losses[sides[-1]][token.position])[:DEAREST]
    head = "".join(f"<th scope='col'>{say(side, language)}</th>" for side in sides)
    rows = ""
    for token in dearest:
        text = escape(show_text(token.text) or token.bytes.hex(" ").upper())
        costs = "".join(f"<td>{_number(xray.losses[side][token.position])}</td>" for side in sides)
        rows += f"<tr><td>{token.position}</td><td><code>{text}</code></td>{costs}</tr>"
    caption = say("xray_dearest", language)
    return f"<div class='scroll'><table class='proof'><caption>{caption}</caption><tr><th scope='col'>{say('token_position', language)}</th><th scope='col'>{say('token_text', language)}</th>{head}</tr>{rows}</table></div>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
