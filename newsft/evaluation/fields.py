"""How well an answer agrees with the gold answer, field by field, and whether what it names stands in the article."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from statistics import fmean

from newsft.evaluation.answer import KEYS, LISTS, Answer
from newsft.evaluation.faithfulness import Faithfulness, measure
from newsft.evaluation.sources import Source, find_sources

STOCKS = {"+": "positive_impact_stocks", "-": "negative_impact_stocks"}
OPPOSITE = {"positive_impact_stocks": "negative_impact_stocks", "negative_impact_stocks": "positive_impact_stocks"}
# Legal forms at the beginning or end of a company's name, after white space and width are folded (which makes "(주)" of ㈜).
INCORPORATED = re.compile(
    r"^(?:\(주\)|\(유\)|주식회사|유한회사)|(?:\(주\)|\(유\)|주식회사|유한회사|,?Inc\.?|,?Corp\.?|,?Co\.,?Ltd\.?|,?Ltd\.?)$"
)


def fold_text(text: str) -> str:
    """Text for comparison: full-width forms folded, white space removed."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def fold_company(name: str) -> str:
    """A company's name for comparison: also without its legal form, unless nothing else is left."""
    folded = fold_text(name)
    return INCORPORATED.sub("", folded) or folded


def is_grounded(name: str, article: str) -> bool:
    """Whether a name or keyword occurs in the article, white space and legal form aside."""
    return bool(name.strip()) and fold_company(name) in fold_text(article)


def stocks_of(answer: Answer) -> set[tuple[str, str]]:
    """The named companies with their direction, ('+' or '-', normalised name)."""
    return {(sign, name) for sign, key in STOCKS.items() for name in items_of(answer, key)}


def fold(item: str, key: str) -> str:
    """An item of the list `key`, normalised as that list's items are compared."""
    return fold_company(item) if key in OPPOSITE else fold_text(item)


def items_of(answer: Answer, key: str) -> set[str]:
    """A list as a set of normalised items; None, an empty list and an empty string are the same absence."""
    return {fold(item, key) for item in answer.values.get(key) or []} - {""}


def differing_keys(first: Answer, second: Answer) -> set[str]:
    """The keys whose values two answers do not share, white space, order and ways of saying nothing aside."""
    return {key for key in KEYS if _comparable(first, key) != _comparable(second, key)}


def _comparable(answer: Answer, key: str) -> object:
    if key in LISTS:
        return items_of(answer, key)
    value = answer.values.get(key)
    return fold_text(value) if isinstance(value, str) else value if isinstance(value, bool) else ""


@dataclass
class Counts:
    """True positives, false positives and false negatives, added up over answers."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    def add(self, found: Iterable, gold: Iterable) -> None:
        """Compare two sets."""
        found, gold = set(found), set(gold)
        self.true_positives += len(found & gold)
        self.false_positives += len(found - gold)
        self.false_negatives += len(gold - found)

    @property
    def precision(self) -> float:
        """Share of the found that is right; 0 where nothing was found."""
        found = self.true_positives + self.false_positives
        return self.true_positives / found if found else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold that was found; 0 where there is none."""
        gold = self.true_positives + self.false_negatives
        return self.true_positives / gold if gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / total if total else 0.0


@dataclass(frozen=True)
class Field:
    """One key of an answer beside the gold answer's. `score` is between 0 and 1, or None where neither answer holds anything to compare.

    is_stock_related: 1 or 0. Lists: F1 of the items as sets. Texts: chrF / 100.
    """

    score: float | None
    true_positives: frozenset[str] = frozenset()
    false_positives: frozenset[str] = frozenset()  # items that the gold answer does not have here
    false_negatives: frozenset[str] = frozenset()
    swapped: frozenset[str] = (
        frozenset()
    )  # of the false positives: companies that the gold answer has on the other side


@dataclass(frozen=True)
class FieldComparison:
    """An answer beside the gold answer."""

    fields: dict[str, Field]
    ungrounded: dict[str, list[str]] = field(default_factory=dict)  # key -> items that the article does not hold
    faithfulness: Faithfulness = field(default_factory=Faithfulness)
    sources: dict[str, Source | None] = field(default_factory=dict)  # of the reasons and the summary

    @property
    def score(self) -> float:
        """The mean of the fields' scores, between 0 and 1: what one answer is worth beside another to the same article."""
        return fmean(found.score for found in self.fields.values() if found.score is not None)


def compare_fields(answer: Answer, gold: Answer, article: str) -> FieldComparison:
    """Every key of `answer` against `gold`; a key that could not be read counts as an absent value, which is wrong where gold has one.

    answer  {"is_stock_related": True, "positive_impact_stocks": ["㈜가람"], "negative_impact_stocks": ["나래"], ...}
    gold    {"is_stock_related": True, "positive_impact_stocks": ["가람", "나래"], ...}

    positive_impact_stocks  score 0.67, true_positives {"가람"}, false_negatives {"나래"}
    negative_impact_stocks  score 0.0, false_positives {"나래"}, swapped {"나래"}
    """
    fields = {}
    for key in KEYS:
        if key == "is_stock_related":
            fields[key] = Field(float(key in answer.values and answer.values[key] == gold.values.get(key)))
        elif key in LISTS:
            fields[key] = _compare_list(answer, gold, key)
        else:
            fields[key] = Field(_score_text(answer.values.get(key) or "", gold.values.get(key) or ""))
    return FieldComparison(
        fields, find_ungrounded(answer, article), measure(answer, article), find_sources(answer, article)
    )


def find_ungrounded(answer: Answer, article: str) -> dict[str, list[str]]:
    """The stocks and keywords, as written, that the article does not hold."""
    found = {key: [item for item in answer.values.get(key) or [] if not is_grounded(item, article)] for key in LISTS}
    return {key: items for key, items in found.items() if items}


def find_both_sided(answer: Answer) -> list[str]:
    """The companies, as written, that an answer says the news to be good and bad for."""
    bad = items_of(answer, "negative_impact_stocks")
    good = dict.fromkeys(answer.values.get("positive_impact_stocks") or [])  # each once
    return [name for name in good if fold_company(name) in bad]


def has_same_reasons(answer: Answer) -> bool:
    """Whether an answer gives one sentence as the reason for good and for bad news, white space aside."""
    good, bad = (fold_text(answer.values.get(f"reason_for_{sign}_impact") or "") for sign in ("positive", "negative"))
    return good == bad != ""


def _compare_list(answer: Answer, gold: Answer, key: str) -> Field:
    found, expected = items_of(answer, key), items_of(gold, key)
    if not found and not expected:
        return Field(None)
    counts = Counts()
    counts.add(found, expected)
    false_positives = found - expected
    other = items_of(gold, OPPOSITE[key]) if key in OPPOSITE else set()
    return Field(
        counts.f1, *map(frozenset, (found & expected, false_positives, expected - found, false_positives & other))
    )


def _score_text(found: str, expected: str) -> float | None:
    if not found.strip() and not expected.strip():
        return None
    return _chrf().sentence_score(found, [expected]).score / 100 if found.strip() and expected.strip() else 0.0


@cache
def _chrf():
    from sacrebleu.metrics import CHRF  # half a second of imports that only a comparison with gold needs

    return CHRF()
