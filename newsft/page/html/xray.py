"""A row's loss per token -> HTML: the answer once per side and once as the difference, each token tinted by what it costs."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from newsft.encoding.row import IGNORED
from newsft.encoding.tokens import Token
from newsft.inference.types import Xray
from newsft.page.html.tokens import show_text
from newsft.page.texts import say

DEAR = 6.0  # nats from which the tint is full: one chance in four hundred
SLIGHT = 0.5  # nats up to which a token counts as neither easier nor harder
DEAREST = 8  # tokens in the table


def format_xray(xray: Xray, tokens: Sequence[Token], *, language: str) -> str:
    """The means of every side, with and without the prompt, and the answer's tokens tinted by their loss."""
    sides = list(xray.losses)
    means = "".join(f"<tr><th scope='row'>{say(side, language)}</th><td>{_number(xray.mean(side))}</td><td>{_number(xray.mean(side, prompt_too=True))}</td></tr>" for side in sides)
    head = f"<tr><th></th><th scope='col'>{say('xray_labels', language)}</th><th scope='col'>{say('xray_prompt_too', language)}</th></tr>"
    panes = [_pane(say(side, language), say("xray_note", language), xray.losses[side], tokens, signed=False) for side in sides]
    if len(sides) == 2:
        panes.append(_pane(say("xray_difference", language), say("xray_difference_note", language), xray.gains(), tokens, signed=True))
    return f'<div class="xray"><div class="scroll"><table class="proof">{head}{means}</table></div>{"".join(panes)}{_table(xray, tokens, language)}</div>'


def _pane(title: str, note: str, losses: Sequence[float | None], tokens: Sequence[Token], *, signed: bool) -> str:
    spans = []
    for _, group in groupby(tokens, key=lambda token: token.group):
        group = list(group)
        found = [losses[token.position] for token in group if token.label != IGNORED and losses[token.position] is not None]
        if found:  # a syllable spread over several tokens costs what all of them cost
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
    labelled = [token for token in tokens if token.label != IGNORED and xray.losses[sides[0]][token.position] is not None]
    dearest = sorted(labelled, key=lambda token: -xray.losses[sides[-1]][token.position])[:DEAREST]
    head = "".join(f"<th scope='col'>{say(side, language)}</th>" for side in sides)
    rows = "".join(
        f"<tr><td>{token.position}</td><td><code>{escape(show_text(token.text) or token.bytes.hex(' ').upper())}</code></td>"
        + "".join(f"<td>{_number(xray.losses[side][token.position])}</td>" for side in sides)
        + "</tr>"
        for token in dearest
    )
    caption = say("xray_dearest", language)
    return f"<div class='scroll'><table class='proof'><caption>{caption}</caption><tr><th scope='col'>{say('token_position', language)}</th><th scope='col'>{say('token_text', language)}</th>{head}</tr>{rows}</table></div>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
