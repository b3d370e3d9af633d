"""The comparison -> HTML: two columns with their figures, the gold answer, and the line under both."""

from collections.abc import Collection
from html import escape

from newsft.evaluation.answer import Answer
from newsft.evaluation.fields import FieldComparison
from newsft.inference.types import AnswerStream
from newsft.page.html.fields import format_fields
from newsft.page.texts import say


def format_side(side: str, stream: AnswerStream, fields: str = "", *, language: str, waiting: str = "waiting") -> str:
    """One column of the comparison: heading, the text as it grows, its fields once complete, and its figures."""
    running = stream.reason is None
    if not stream.text and running:
        return f'<section class="side {side}">{_head(side, language)}<p class="waiting">{say(waiting, language)}</p></section>'
    if running:
        fields = f'<p class="waiting">{say("reading", language)}</p>'
    figures = {"tokens": stream.tokens, "seconds": stream.seconds, "speed": stream.tokens_per_second}
    stats = say("stats", language, reason=say(stream.reason or "running", language), **figures)
    return format_answer(side, stream.text, fields, stats=stats, language=language, running=running)


def format_answer(side: str, text: str, fields: str, *, stats: str, language: str, running: bool = False) -> str:
    """A side's text as the model wrote it, its fields, and a line of figures."""
    caret = '<span class="caret" aria-hidden="true"></span>' if running else ""
    raw = f'<div class="raw" lang="ko" tabindex="0" role="region" aria-label="{say("raw", language)}">{escape(text)}{caret}</div>'
    return f'<section class="side {side}" aria-busy="{str(running).lower()}">{_head(side, language)}{raw}{fields}<p class="stats">{stats}</p></section>'


def _head(side: str, language: str) -> str:
    return f"<header><h3>{say(side, language)}</h3><p>{say(side + '_note', language)}</p></header>"


def format_gold(gold: Answer, row: int, *, language: str) -> str:
    """The card of the gold answer of a test row."""
    head = f"<header><h3>{say('gold', language)}</h3><p>{say('gold_note', language, row=row)}</p></header>"
    return f'<section class="side gold">{head}{format_fields(gold, FieldComparison({}), language=language)}</section>'


def format_footer(*, prompt_tokens: int, changes: Collection[str], language: str) -> str:
    """The line under both columns: the prompt's size and what was changed in the news."""
    parts = [say("prompt_stats", language, tokens=prompt_tokens)] + [say(f"changed_{change}", language) for change in changes]
    return f'<p class="footer">{" ".join(parts)}</p>'
