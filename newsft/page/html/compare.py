"""The comparison -> HTML: two columns with their figures, the gold answer, and the line under both."""

from collections.abc import Collection
from html import escape

from newsft.evaluation.answer import Answer
from newsft.evaluation.fields import FieldComparison
from newsft.inference.types import AnswerStream
from newsft.page.html.fields import format_fields
from newsft.page.texts import say, say_error


def format_side(
    side: str,
    stream: AnswerStream,
    fields: str = "",
    *,
    language: str,
    waiting: str = "waiting",
    note: str | None = None,
    warning: str = "",
) -> str:
    """One column of the comparison: heading, the text as it grows, its fields once complete, and its figures.

    `note` stands under the heading in the place of what is true of one model with its adapter off and on, `warning` below it from the start.
    """
    running = stream.reason is None
    if stream.error is not None:
        fields = f'<p class="problem" role="alert">{escape(say_error(stream.error, language))}</p>'
    if not stream.text and running:
        said = say("server_silence", language, seconds=stream.silence) if stream.silence else say(waiting, language)
        return f'<section class="side {side}">{_head(side, language, note, warning)}<p class="waiting">{said}</p></section>'
    if running:
        fields = f'<p class="waiting">{say("reading", language)}</p>'
    figures = {"tokens": stream.tokens, "seconds": stream.seconds, "speed": stream.tokens_per_second}
    stats = say("stats", language, reason=say(stream.reason or "running", language), **figures)
    shown = {"language": language, "running": running, "note": note, "warning": warning}
    return format_answer(side, stream.text, fields, stats=stats, **shown)


def format_answer(
    side: str,
    text: str,
    fields: str,
    *,
    stats: str,
    language: str,
    running: bool = False,
    note: str | None = None,
    warning: str = "",
) -> str:
    """A side's text as the model wrote it, its fields, and a line of figures."""
    caret = '<span class="caret" aria-hidden="true"></span>' if running else ""
    raw = f'<div class="raw" lang="ko" tabindex="0" role="region" aria-label="{say("raw", language)}">{escape(text)}{caret}</div>'
    return f'<section class="side {side}" aria-busy="{str(running).lower()}">{_head(side, language, note, warning)}{raw}{fields}<p class="stats">{stats}</p></section>'


def _head(side: str, language: str, note: str | None, warning: str) -> str:
    told = f'<p class="problem">{escape(warning)}</p>' if warning else ""
    return (
        f"<header><h3>{say(side, language)}</h3><p>{escape(note or say(side + '_note', language))}</p></header>{told}"
    )


def format_gold(gold: Answer, row: int, *, language: str) -> str:
    """The card of the gold answer of a test row."""
    head = f"<header><h3>{say('gold', language)}</h3><p>{say('gold_note', language, row=row)}</p></header>"
    return f'<section class="side gold">{head}{format_fields(gold, FieldComparison({}), language=language)}</section>'


def format_footer(*, prompt_tokens: int, changes: Collection[str], language: str, sent_ids: bool = True) -> str:
    """The line under both columns: the prompt's size, where a server made the prompt itself that it did, and what was changed in the news."""
    parts = [say("prompt_stats" if sent_ids else "messages_sent", language, tokens=prompt_tokens)] + [
        say(f"changed_{change}", language) for change in changes
    ]
    return f'<p class="footer">{" ".join(parts)}</p>'
