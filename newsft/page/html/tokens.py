"""A row's tokens -> HTML: a chip per token, one DOM node each, and the data that the passport, the table and the downloads show."""

import json
import unicodedata
from collections.abc import Collection, Sequence
from html import escape
from itertools import groupby

from newsft.encoding.tokens import ReadRow, Token
from newsft.page.texts import lesson, say, say_all

BLOCK = 200  # chips in one block; the browser skips the layout of blocks that are out of sight
MARKS = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍", "\u00a0": "⍽"}
SHORT = {"template": "m", "system": "s", "user": "u", "answer": "a", "padding": "p"}
DESCRIBED = "id text label mask origin reason part parts control".split()  # fields of a Token, beside its bytes


def show_text(text: str) -> str:
    """The text with white space and invisible characters made visible; a joined emoji keeps its joiners."""
    if any(unicodedata.category(character) not in ("Zs", "Zl", "Zp", "Cc", "Cf", "Mn", "Me") for character in text):
        return "".join(MARKS.get(character, character) for character in text)
    return "".join(MARKS.get(character) or f"U+{ord(character):04X}" for character in text)


def format_row(row: ReadRow, *, language: str) -> str:
    """The row's sums, badges, chips and decoded labels."""
    parts = [
        format_counts(row.counts, language=language),
        format_checks(row.checks, language=language),
        format_tokens(row.tokens, language=language, name="row"),
        format_labels(row.trained_text, language=language),
    ]
    return "".join(parts)


def format_tokens(
    tokens: Sequence[Token],
    *,
    language: str,
    name: str,
    marked: Collection[int] = (),
    passport: bool = True,
    label: str | None = None,
) -> str:
    """The row as chips in sections of one origin, with the passport beside them.

    `name` tells apart the rows of one page, `marked` are positions to mark as changed, `label` is what a screen reader calls the row. The exact texts, labels and
    masks travel as JSON in `data-tokens`; page script fills the passport, the table and the downloads from there.
    """
    stretches = groupby(tokens, key=lambda token: token.origin)
    sections = "".join(_section(origin, list(stretch), language, marked) for origin, stretch in stretches)
    listbox = f'<div class="tokens" role="listbox" aria-label="{label or say("token_list", language, count=len(tokens))}">{sections}</div>'
    data, words = _attribute(describe_tokens(tokens)), _attribute(_words(language))
    buttons = "".join(
        f'<button type="button" data-tool="{tool}"{expanded}>{say("tool_" + tool, language)}</button>'
        for tool, expanded in (("table", ' aria-expanded="false"'), ("csv", ""), ("json", ""))
    )
    tools = f'<div class="tools">{buttons}</div>' if passport else ""
    aside = _format_passport(language) if passport else ""
    table = '<div class="table"></div>' if passport else ""
    return f"<div class=\"token-view\" data-name=\"{escape(name)}\" data-words='{words}' data-tokens='{data}'>{tools}{listbox}{aside}{table}</div>"


def _format_passport(language: str) -> str:
    """The place where page script shows everything about the chosen token."""
    return f'<aside class="passport" aria-live="polite"><h4>{say("passport", language)}</h4><p>{say("passport_hint", language)}</p></aside>'


def format_pane(name: str, head: str, tokens: Sequence[Token], *, marked: Collection[int], language: str) -> str:
    """One of several rows that stand over each other, under its heading."""
    chips = format_tokens(tokens, language=language, name=name, marked=frozenset(marked), passport=False, label=head)
    return f'<section class="pane {name}"><h4>{head}</h4>{chips}</section>'


def format_pair(panes: Sequence[str], *, language: str) -> str:
    """The panes with one passport for all of them."""
    return f'<div class="pair">{"".join(panes)}{_format_passport(language)}</div>'


def count_trained(tokens: Sequence[Token]) -> dict[str, str]:
    """How many tokens there are, and how many of them are trained, as headings say it."""
    return {"all": f"{len(tokens):,}", "trained": f"{sum(token.label >= 0 for token in tokens):,}"}


def describe_tokens(tokens: Sequence[Token]) -> dict[str, list]:
    """What page script reads: of each field of DESCRIBED a list with one value per token (columns, as the names would otherwise be most of the text)."""
    columns = {name: [getattr(token, name) for token in tokens] for name in DESCRIBED}
    return columns | {"bytes": [token.bytes.hex(" ").upper() for token in tokens]}


def _attribute(value: object) -> str:
    """JSON for an attribute in single quotes, which leaves JSON's many double quotes as they are."""
    return escape(json.dumps(value, ensure_ascii=False, separators=(",", ":")), quote=False).replace("'", "&#39;")


def _section(origin: str, tokens: list[Token], language: str, marked: Collection[int]) -> str:
    blocks = "".join(
        f'<div class="block" role="presentation">{"".join(_chip(t, language, marked) for t in tokens[i : i + BLOCK])}</div>'
        for i in range(0, len(tokens), BLOCK)
    )
    return f'<section role="group" class="{SHORT[origin]}" aria-label="{say("origin_" + origin, language)}" data-count="{len(tokens)}">{blocks}</section>'


def _chip(token: Token, language: str, marked: Collection[int]) -> str:
    found = {"t": token.label >= 0, "c": token.control, "x": token.position in marked, "o": not token.mask}
    kinds = [name for name, holds in found.items() if holds]
    if token.parts > 1:
        kinds.append("g1" if token.part == 1 else "g2" if token.part < token.parts else "g3")
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    part = f' data-p="{token.part}/{token.parts}"' if token.parts > 1 else ""
    if not token.text:  # padding, or a later part of a split character: nothing else to read out
        name = f"{say('token_part_of', language)} {token.part}/{token.parts}"
        if token.origin == "padding":
            name = say("origin_padding", language)
        part += f' aria-label="{name}"'
    first = ' tabindex="0"' if token.position == 0 else ""
    return f'<i role="option"{kind}{first} data-i="{token.id}"{part}>{escape(show_text(token.text))}</i>'


def _words(language: str) -> dict[str, str]:
    """The texts that page script needs, by the names under which it asks for them."""
    origins = {f"origin_{origin}": say(f"origin_{origin}", language) for origin in SHORT}
    reasons = {f"reason_{name}": text for name, text in lesson("reasons", language).items()}
    return say_all("token_", language) | origins | reasons


def format_counts(counts: dict[str, int], *, language: str) -> str:
    """The totals as two sums that a reader can check."""
    shown = {name: f"<strong>{number:,}</strong>" for name, number in counts.items()}
    lines = [say("sum_origins", language, **shown), say("sum_labels", language, **shown)]
    return "".join(f'<p class="sum">{line}</p>' for line in lines)


def format_checks(checks: dict[str, bool], *, language: str) -> str:
    """One badge per invariant, told apart by sign and word as well as by colour."""
    words = lesson("checks", language)
    badges = [
        f'<li class="{"holds" if holds else "fails"}"><span aria-hidden="true">{"✓" if holds else "✗"}</span> {words[name]}<span class="sr">: {say("holds" if holds else "fails", language)}</span></li>'
        for name, holds in checks.items()
    ]
    return f'<ul class="checks" aria-label="{say("checks", language)}">{"".join(badges)}</ul>'


def format_labels(text: str, *, language: str) -> str:
    """The trained tokens alone, as text: what the model learns to write."""
    return f'<details class="labels" open><summary>{say("decoded_labels", language)}</summary><pre>\n{escape(text)}</pre></details>'


def _band_class(token: Token) -> str:
    return SHORT[token.origin] + (" t" if token.label >= 0 else "") + ("" if token.mask else " off")


def format_batch(rows: Sequence[Sequence[Token]], *, pad_id: int, pad_text: str, language: str) -> str:
    """Rows of equal length as aligned bands, with the counts of ones and zeros of each mask."""
    total = len(rows[0])
    bands = []
    for number, row in enumerate(rows, 1):
        ones = sum(token.mask for token in row)
        figures = {"ones": f"{ones:,}", "zeros": f"{total - ones:,}", "trained": count_trained(row)["trained"]}
        label = say("batch_row", language, number=number, **figures)
        runs = [(kind, sum(1 for _ in run)) for kind, run in groupby(row, key=_band_class)]
        band = "".join(
            f'<span class="{kind}" style="flex-grow:{count}" title="{count:,}"></span>' for kind, count in runs
        )
        bands.append(
            f'<figure><figcaption>{label}</figcaption><div class="band" role="img" aria-label="{label}">{band}</div></figure>'
        )
    note = say("batch_note", language, total=f"{total:,}", pad_id=pad_id, pad=escape(show_text(pad_text)))
    return f'<div class="batch">{"".join(bands)}<p>{note}</p></div>'
