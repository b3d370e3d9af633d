"""The comparison -> HTML: two columns, the fields that were read, the figures."""

from html import escape

from newsft import answers
from newsft.answers import Answer, is_grounded
from newsft.texts import say


def format_side(side: str, text: str, *, language: str, article: str = "", tokens: int = 0, seconds: float = 0.0, reason: str | None = None, waiting: str = "waiting") -> str:
    """One column of the comparison: heading, the text as it grows, its fields once complete, and its figures."""
    head = f"<header><h3>{say(side, language)}</h3><p>{say(side + '_note', language)}</p></header>"
    if not text and reason is None:
        return f'<section class="side {side}">{head}<p class="waiting">{say(waiting, language)}</p></section>'
    caret = '<span class="caret" aria-hidden="true"></span>' if reason is None else ""
    raw = f'<div class="raw" tabindex="0" role="region" aria-label="{say("raw", language)}">{escape(text)}{caret}</div>'
    if reason is None:
        fields = f'<p class="waiting">{say("reading", language)}</p>'
    else:
        fields = format_fields(answers.read_answer(text), language=language, article=article)
    speed = tokens / seconds if seconds else 0.0
    stats = say("stats", language, tokens=tokens, seconds=seconds, speed=speed, reason=say(reason or "running", language))
    return f'<section class="side {side}" aria-busy="{str(reason is None).lower()}">{head}{raw}{fields}<p class="stats">{stats}</p></section>'


def format_fields(answer: Answer, *, language: str, article: str) -> str:
    """The card of an answer's fields, or what prevents reading it."""
    problem = ""
    if not answer.readable:
        why = say(f"problem_{answer.problem}", language, position=(answer.position or 0) + 1, missing=", ".join(answer.missing))
        problem = f'<p class="problem"><strong>{say("unreadable", language)}.</strong> {escape(why)}</p>'
        if not answer.values:
            return problem
    rows = [_row(key, answer, language, article) for key in _card_order(answer)]
    return f'{problem}<dl class="fields">{"".join(rows)}</dl>'


def _card_order(answer: Answer) -> list[str]:
    """Relevance and the directions first; keys that do not apply to news about no stock are left out."""
    order = ["is_stock_related"]
    for sign in ("positive", "negative"):
        order += [f"{sign}_impact_stocks", f"reason_for_{sign}_impact", f"{sign}_keywords"]
    order.append("summary")
    if answer.values.get("is_stock_related") is False:
        order = [key for key in order if answer.values.get(key) is not None]
    return [key for key in order if key in answer.values]


def _row(key: str, answer: Answer, language: str, article: str) -> str:
    label = say("related" if key == "is_stock_related" else key, language)
    value = answer.values[key]
    if key == "is_stock_related":
        shown = f'<span class="badge {"yes" if value else "no"}">{say("related_yes" if value else "related_no", language)}</span>'
    elif not value:
        shown = f'<span class="none">{say("none", language)}</span>'
    elif isinstance(value, list):
        # An arrow beside the colour: the direction must not hang on telling red from green.
        arrow = {"positive_impact_stocks": "▲ ", "negative_impact_stocks": "▼ "}.get(key, "")
        kind = key.split("_")[0] + (" stock" if arrow else " keyword")
        shown = " ".join(_chip(arrow, name, kind, is_grounded(name, article), language) for name in value)
    else:
        shown = escape(value)
    return f"<dt>{label}</dt><dd>{shown}</dd>"


def _chip(arrow: str, name: str, kind: str, grounded: bool, language: str) -> str:
    if grounded:
        return f'<span class="chip {kind}">{arrow}{escape(name)}</span>'
    note = say("not_in_article", language)
    return f'<span class="chip {kind} ungrounded" title="{note}">{arrow}{escape(name)} <small>({note})</small></span>'


def format_footer(*, prompt_tokens: int | None, changes: list[str], language: str) -> str:
    """The line under both columns: the prompt's size and what was changed in the news."""
    if prompt_tokens is None:
        return ""
    parts = [say("prompt_stats", language, tokens=prompt_tokens)] + [say(f"changed_{change}", language) for change in changes]
    return f'<p class="footer">{" ".join(parts)}</p>'
