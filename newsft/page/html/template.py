"""The conversation as cards and as rendered text -> HTML; what belongs together carries the same number."""

from collections.abc import Sequence
from html import escape

from newsft.encoding.template import Spelling, Stretch
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
        for kind, sample in (("control", "&lt;|…|&gt;"), ("frame", "user"), ("content", "가나다"), ("generation", "assistant"))
    )
    return (
        f'<div class="template-view"><div class="cards" role="group" aria-label="{say("cards", language)}">{cards}</div>'
        f'<div><ul class="legend">{legend}</ul><div class="rendered" role="region" tabindex="0" aria-label="{say("rendered", language)}">{rendered}</div></div></div>'
    )


def _stretch(stretch: Stretch, language: str) -> str:
    kinds = ["content " + SIDES[stretch.origin] if stretch.origin != "template" else "control" if stretch.control else "frame"]
    if stretch.generation:
        kinds.append("generation")
    link = f' data-link="{stretch.message}"' if stretch.message is not None else ""
    text = escape(stretch.text) if stretch.origin != "template" else escape(show_text(stretch.text)).replace("↵", '<span class="mark">↵</span>\n')
    return f'<span class="{" ".join(kinds)}"{link}>{text}</span>'


def format_spellings(spellings: Sequence[Spelling], *, language: str) -> str:
    """A table of the three templates: tokens, what the answer's header looks like and its ids, with what differs marked."""
    first = spellings[0]
    rows = []
    for spelling in spellings:
        ids = " ".join(f"<code>{number}</code>" if number in first.header_ids else f'<code class="differs">{number}</code>' for number in spelling.header_ids)
        more = spelling.tokens - first.tokens
        difference = (
            say("spelling_same", language)
            if spelling is first
            else say("spelling_more", language, count=f"{more:+d}")
            if more
            else say("spelling_other_ids" if spelling.header_ids != first.header_ids else "spelling_alike", language)
        )
        rows.append(
            f'<tr><th scope="row">{say("spelling_" + spelling.name, language)}</th><td><code class="header">{escape(show_text(spelling.header))}</code></td><td>{ids}</td><td>{spelling.tokens:,}</td><td>{difference}</td></tr>'
        )
    heads = "".join(f'<th scope="col">{say("spelling_head_" + name, language)}</th>' for name in ("name", "header", "ids", "tokens", "difference"))
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{say("spellings", language)}"><table class="spellings"><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )
