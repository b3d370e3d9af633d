"""An answer's fields -> HTML: what was read and how, and beside a gold answer what is right, wrong, missed or on the wrong side."""

from collections.abc import Collection
from html import escape

from newsft.evaluation.answer import STRICT, UNREADABLE, Answer
from newsft.evaluation.faithfulness import LOW, split_foreign
from newsft.evaluation.fields import Field, FieldComparison, fold
from newsft.page.texts import say

ARROWS = {"positive_impact_stocks": "▲ ", "negative_impact_stocks": "▼ "}  # the direction must not hang on telling red from green
MARKS = {"hit": "✓", "wrong": "✗", "swapped": "⇄", "missed": "＋"}


def format_fields(answer: Answer, compared: FieldComparison, *, language: str, gold: Answer | None = None, differing: Collection[str] = ()) -> str:
    """The card of an answer's fields, and how it was read or what prevents reading it.

    With `gold`, every field is marked against it. Fields in `differing` are those that the other side answers otherwise.
    """
    order = _card_order(answer, gold)
    rows = [_row(key, answer, compared, language, gold, key in differing) for key in order]
    table = f'<dl class="fields">{"".join(rows)}</dl>' if answer.values else ""
    score = f'<p class="score">{say("score_line", language, score=compared.score * 100)}</p>' if gold else ""
    return format_reading(answer, language=language) + _warning(compared, language) + score + table


def _warning(compared: FieldComparison, language: str) -> str:
    """One sentence where much of the reasons and the summary does not stand in the article."""
    share = compared.faithfulness.share
    if share is None or share >= LOW:
        return ""
    return f'<p class="problem unfaithful">{say("unfaithful", language, share=(1 - share) * 100)}</p>'


def _mark_foreign(word: str, language: str) -> str:
    return f'<mark class="foreign" title="{say("not_in_article", language)}">{escape(word)}</mark>'


def format_reading(answer: Answer, *, language: str) -> str:
    """How the text was read where it is not a plain literal with all eight keys: the repairs, the problem, what is missing."""
    parts = []
    if answer.reading == UNREADABLE:
        parts.append(f"<strong>{say('unreadable', language)}.</strong>")
    elif answer.reading != STRICT:
        repairs = ", ".join(say(f"repair_{name}", language) for name in answer.repairs)
        parts.append(f"<strong>{say('repaired', language)}</strong> {repairs}.")
    if answer.problem:
        why = say(f"problem_{answer.problem}", language, position=(answer.position or 0) + 1, missing=", ".join(answer.missing))
        parts.append(escape(why))
    return f'<p class="problem">{" ".join(parts)}</p>' if parts else ""


def _card_order(answer: Answer, gold: Answer | None) -> list[str]:
    """Relevance and the directions first; keys that do not apply to news about no stock are left out."""
    order = ["is_stock_related"]
    for sign in ("positive", "negative"):
        order += [f"{sign}_impact_stocks", f"reason_for_{sign}_impact", f"{sign}_keywords"]
    order.append("summary")
    shown = [answer, gold] if gold else [answer]
    if all(one.values.get("is_stock_related") is False for one in shown):
        order = [key for key in order if any(one.values.get(key) is not None for one in shown)]
    return [key for key in order if any(key in one.values for one in shown)]


def _row(key: str, answer: Answer, compared: FieldComparison, language: str, gold: Answer | None, differs: bool) -> str:
    label = say("related" if key == "is_stock_related" else key, language)
    note = say("differs", language)
    sign = f' <span class="differs" title="{note}" aria-label="{note}">≠</span>' if differs else ""
    found = compared.fields.get(key) if gold else None
    return f"<dt>{label}{sign}</dt><dd>{_value(key, answer, compared, language, gold, found)}</dd>"


def _value(key: str, answer: Answer, compared: FieldComparison, language: str, gold: Answer | None, found: Field | None) -> str:
    if key not in answer.values:
        shown = f'<span class="none">{say("not_read", language)}</span>'
    elif key == "is_stock_related":
        related = answer.values[key]
        shown = f'<span class="badge {"yes" if related else "no"}">{say("related_yes" if related else "related_no", language)}</span>'
    elif not answer.values[key]:
        shown = f'<span class="none">{say("none", language)}</span>'
    elif isinstance(answer.values[key], list):
        shown = " ".join(_chip(key, item, _outcome(key, item, found), item in compared.ungrounded.get(key, ()), language) for item in answer.values[key])
    else:
        shown = "".join(_mark_foreign(part, language) if foreign else escape(part) for part, foreign in split_foreign(answer.values[key], compared.faithfulness.foreign))
    return shown + _against_gold(key, language, gold, found)


def _against_gold(key: str, language: str, gold: Answer | None, found: Field | None) -> str:
    if gold is None or found is None or found.score is None:
        return ""
    if key == "is_stock_related":
        return f' <span class="mark {"hit" if found.score else "wrong"}">{say("mark_true" if found.score else "mark_false", language)}</span>'
    if found.true_positives or found.false_positives or found.false_negatives:
        missed = [item for item in gold.values.get(key) or [] if fold(item, key) in found.false_negatives]
        return "".join(" " + _chip(key, item, "missed", False, language) for item in missed)
    return f' <small class="chrf">{say("chrf", language, score=found.score * 100)}</small>'


def _outcome(key: str, item: str, found: Field | None) -> str | None:
    if found is None:
        return None
    name = fold(item, key)
    return "hit" if name in found.true_positives else "swapped" if name in found.swapped else "wrong" if name in found.false_positives else None


def _chip(key: str, item: str, outcome: str | None, ungrounded: bool, language: str) -> str:
    kinds = [key.split("_")[0], "stock" if key in ARROWS else "keyword", *([outcome] if outcome else []), *(["ungrounded"] if ungrounded else [])]
    notes = [say(f"mark_{outcome}", language)] if outcome else []
    notes += [say("not_in_article", language)] if ungrounded else []
    said = f" <small>({', '.join(notes)})</small>" if notes and (outcome != "hit" or ungrounded) else ""
    sign = f'<span aria-label="{notes[0]}">{MARKS[outcome]}</span> ' if outcome else ""
    return f'<span class="chip {" ".join(kinds)}" title="{", ".join(notes)}">{sign}{ARROWS.get(key, "")}{escape(item)}{said}</span>'
