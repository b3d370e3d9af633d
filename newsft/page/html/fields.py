"""An answer's fields -> HTML: what was read and how, and beside a gold answer what is right, wrong, missed or on the wrong side."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from html import escape

from newsft.evaluation.answer import STRICT, UNREADABLE, Answer
from newsft.evaluation.faithfulness import LOW, split_foreign
from newsft.evaluation.fields import Field, FieldComparison, find_both_sided, fold, has_same_reasons
from newsft.page.texts import say

# The direction must be readable without telling red from green.
ARROWS = {"positive_impact_stocks": "▲ ", "negative_impact_stocks": "▼ "}
MARKS = {"hit": "✓", "wrong": "✗", "swapped": "⇄", "missed": "＋"}


def format_fields(
    answer: Answer,
    compared: FieldComparison,
    *,
    language: str,
    gold: Answer | None = None,
    differing: Collection[str] = (),
) -> str:
    """The card of an answer's fields, and how it was read or what prevents reading it.

    With `gold`, every field is marked against it. Fields in `differing` are those that the other side answers otherwise.
    """
    card = _Card(answer, compared, gold, differing, language)
    score = f'<p class="score">{say("score_line", language, score=compared.score * 100)}</p>' if gold else ""
    return format_reading(answer, language=language) + card.format_warnings() + score + card.format_rows()


def format_reading(answer: Answer, *, language: str) -> str:
    """How the text was read where it is not a plain literal with all eight keys: the repairs, the problem, what is missing."""
    parts = []
    if answer.reading == UNREADABLE:
        parts.append(f"<strong>{say('unreadable', language)}.</strong>")
    elif answer.reading != STRICT:
        repairs = ", ".join(say(f"repair_{name}", language) for name in answer.repairs)
        parts.append(f"<strong>{say('repaired', language)}</strong> {repairs}.")
    if answer.problem:
        values = {"position": (answer.position or 0) + 1, "missing": ", ".join(answer.missing)}
        why = say(f"problem_{answer.problem}", language, **values)
        parts.append(escape(why))
    return f'<p class="problem">{" ".join(parts)}</p>' if parts else ""


@dataclass(frozen=True)
class _Card:
    answer: Answer
    compared: FieldComparison
    gold: Answer | None
    differing: Collection[str]
    language: str

    def format_warnings(self) -> str:
        """A sentence each where much of the reasons and the summary does not stand in the article, and where the answer is at odds with itself."""
        share, both_sided, said = self.compared.faithfulness.share, find_both_sided(self.answer), {}
        if share is not None and share < LOW:
            said["unfaithful"] = {"share": (1 - share) * 100}
        if both_sided:
            said["both_sided"] = {"names": ", ".join(both_sided)}
        if has_same_reasons(self.answer):
            said["same_reasons"] = {}
        texts = {kind: escape(say(kind, self.language, **values)) for kind, values in said.items()}
        return "".join(f'<p class="problem {kind}">{text}</p>' for kind, text in texts.items())

    def format_rows(self) -> str:
        """Every field under its name."""
        rows = "".join(map(self._row, self._list_keys()))
        return f'<dl class="fields">{rows}</dl>' if self.answer.values else ""

    def _list_keys(self) -> list[str]:
        """Relevance and the directions first; keys that do not apply to news about no stock are left out."""
        keys = ["is_stock_related"]
        for sign in ("positive", "negative"):
            keys += [f"{sign}_impact_stocks", f"reason_for_{sign}_impact", f"{sign}_keywords"]
        keys.append("summary")
        shown = [one.values for one in (self.answer, self.gold) if one]
        if all(values.get("is_stock_related") is False for values in shown):
            keys = [key for key in keys if any(values.get(key) is not None for values in shown)]
        return [key for key in keys if any(key in values for values in shown)]

    def _row(self, key: str) -> str:
        label = say("related" if key == "is_stock_related" else key, self.language)
        note = say("differs", self.language)
        sign = f' <span class="differs" title="{note}" aria-label="{note}">≠</span>' if key in self.differing else ""
        return f"<dt>{label}{sign}</dt><dd>{self._value(key)}{self._against_gold(key)}</dd>"

    def _value(self, key: str) -> str:
        value = self.answer.values.get(key)
        if key not in self.answer.values:
            return f'<span class="none">{say("not_read", self.language)}</span>'
        if key == "is_stock_related":
            answer = "yes" if value else "no"
            return f'<span class="badge {answer}">{say(f"related_{answer}", self.language)}</span>'
        if not value:
            return f'<span class="none">{say("none", self.language)}</span>'
        if isinstance(value, list):
            written = Counter(value)  # in the order of the answer
            return " ".join(self._chip(key, item, self._outcome(key, item), count) for item, count in written.items())
        parts = split_foreign(value, self.compared.faithfulness.foreign)
        text = "".join(self._mark_foreign(part) if foreign else escape(part) for part, foreign in parts)
        return text + self._source(key)

    def _source(self, key: str) -> str:
        """The sentence of the article behind a reason or the summary, folded; unfolded it says what that sentence lacks."""
        if key not in self.compared.sources:
            return ""
        source = self.compared.sources[key]
        if source is None:
            return f'<p class="source none">{say("sentence_none", self.language)}</p>'
        note = lacking = ""
        if source.lacks:
            note = f" <small>{say('sentence_lacks', self.language, count=len(source.lacks))}</small>"
            lacking = escape(say("sentence_lacking", self.language, words=", ".join(source.lacks)))
        summary = f"<summary>{say('sentence_found', self.language)}{note}</summary>"
        return f'<details class="source">{summary}<q>{escape(source.sentence)}</q> {lacking}</details>'

    def _mark_foreign(self, word: str) -> str:
        return f'<mark class="foreign" title="{say("not_in_article", self.language)}">{escape(word)}</mark>'

    def _found(self, key: str) -> Field | None:
        return self.compared.fields.get(key) if self.gold else None

    def _against_gold(self, key: str) -> str:
        found = self._found(key)
        if found is None or found.score is None:
            return ""
        if key == "is_stock_related":
            kind, words = ("hit", "mark_true") if found.score else ("wrong", "mark_false")
            return f' <span class="mark {kind}">{say(words, self.language)}</span>'
        if found.true_positives or found.false_positives or found.false_negatives:
            missed = [item for item in self.gold.values.get(key) or [] if fold(item, key) in found.false_negatives]
            return "".join(" " + self._chip(key, item, "missed") for item in missed)
        return f' <small class="chrf">{say("chrf", self.language, score=found.score * 100)}</small>'

    def _outcome(self, key: str, item: str) -> str | None:
        found, name = self._found(key), fold(item, key)
        if found is None:
            return None
        kinds = {"hit": found.true_positives, "swapped": found.swapped, "wrong": found.false_positives}
        return next((kind for kind, names in kinds.items() if name in names), None)

    def _chip(self, key: str, item: str, outcome: str | None, count: int = 1) -> str:
        ungrounded = outcome != "missed" and item in self.compared.ungrounded.get(key, ())
        kinds = [key.split("_")[0], "stock" if key in ARROWS else "keyword"]
        kinds += [outcome] if outcome else []
        kinds += ["ungrounded"] if ungrounded else []
        notes = [say(f"mark_{outcome}", self.language)] if outcome else []
        notes += [say("not_in_article", self.language)] if ungrounded else []
        notes += [say("repeated", self.language, count=count)] if count > 1 else []
        said = f" <small>({', '.join(notes)})</small>" if notes and notes != [say("mark_hit", self.language)] else ""
        sign = f'<span aria-label="{notes[0]}">{MARKS[outcome]}</span> ' if outcome else ""
        words = f"{sign}{ARROWS.get(key, '')}{escape(item)}{said}"
        return f'<span class="chip {" ".join(kinds)}" title="{", ".join(notes)}">{words}</span>'
