"""The conversation as cards and as rendered text -> HTML; what belongs together carries the same number."""

from collections.abc import Sequence
from html import escape

from newsft.encoding.template import Spelling, Stretch
from newsft.page.html.table import format_table
from newsft.page.html.tokens import show_text
from newsft.page.texts import say

SIDES = {"template": "m", "system": "s", "user": "u", "answer": "a"}


def format_template(messages: Sequence[dict], stretches: Sequence[Stretch], *, language: str) -> str:
    """Cards on one side, the rendered text on the other; page script lights up the partner of what is pointed at."""
    cards = "".join(
        f'<article class="card {message["role"]}" data-link="{number}" tabindex="0"><h4>{say("role_" + message["role"], language)} <code>{escape(message["role"])}</code></h4><p>{escape(message["content"])}</p></article>'
        for number, message in enumerate(messages)
    )
    rendered = "".join(_stretch(stretch, language) for stretch in stretches)
    legend = "".join(
        f'<li><span class="{kind}">{sample}</span> {say("legend_" + kind, language)}</li>'
        for kind, sample in (
            ("control", "&lt;|…|&gt;"),
            ("frame", "user"),
            ("content", "가나다"),
            ("generation", "assistant"),
        )
    )
    return (
        f'<div class="template-view"><div class="cards" role="group" aria-label="{say("cards", language)}">{cards}</div>'
        f'<div><ul class="legend">{legend}</ul><div class="rendered" role="region" tabindex="0" aria-label="{say("rendered", language)}">{rendered}</div></div></div>'
    )


def _stretch(stretch: Stretch, language: str) -> str:
    kind, text = "control" if stretch.control else "frame", escape(show_text(stretch.text))
    if stretch.origin == "template":
        text = text.replace("↵", '<span class="mark">↵</span>\n')
    else:
        kind, text = f"content {SIDES[stretch.origin]}", escape(stretch.text)
    kind += " generation" if stretch.generation else ""
    link = f' data-link="{stretch.message}"' if stretch.message is not None else ""
    return f'<span class="{kind}"{link}>{text}</span>'


def format_spellings(spellings: Sequence[Spelling], *, language: str) -> str:
    """A table of the three templates: tokens, what the answer's header looks like and its ids, with what differs marked."""
    first, rows = spellings[0], []
    for spelling in spellings:
        differs = {number: "" if number in first.header_ids else ' class="differs"' for number in spelling.header_ids}
        ids = " ".join(f"<code{differs[number]}>{number}</code>" for number in spelling.header_ids)
        header = f'<code class="header">{escape(show_text(spelling.header))}</code>'
        name, difference = say(f"spelling_{spelling.name}", language), _format_difference(spelling, first, language)
        rows.append([name, header, ids, f"{spelling.tokens:,}", difference])
    heads = [say(f"spelling_head_{name}", language) for name in ("name", "header", "ids", "tokens", "difference")]
    return format_table(heads, rows, kind="spellings", label=say("spellings", language))


def _format_difference(spelling: Spelling, first: Spelling, language: str) -> str:
    if spelling is first:
        return say("spelling_same", language)
    if spelling.tokens != first.tokens:
        return say("spelling_more", language, count=f"{spelling.tokens - first.tokens:+d}")
    return say("spelling_alike" if spelling.header_ids == first.header_ids else "spelling_other_ids", language)
