"""Model text -> Answer, and how well its parts agree with the gold answer."""

import ast
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

KEYS = (
    "is_stock_related",
    "negative_impact_stocks",
    "negative_keywords",
    "positive_impact_stocks",
    "positive_keywords",
    "reason_for_negative_impact",
    "reason_for_positive_impact",
    "summary",
)
LISTS = tuple(key for key in KEYS if key.endswith(("_stocks", "_keywords")))
STOCKS = {"+": "positive_impact_stocks", "-": "negative_impact_stocks"}
LENGTH_LIMIT = 20_000  # characters of an answer that are parsed; deeper nesting than a dict of lists cannot fit sense

# Why a text cannot be read, by what the page and the reports call it.
NO_DICT, BROKEN_OFF, SYNTAX, NOT_A_DICT, MISSING_KEYS, WRONG_TYPE, TOO_LONG = "no_dict", "broken_off", "syntax", "not_a_dict", "missing_keys", "wrong_type", "too_long"


@dataclass(frozen=True)
class Answer:
    """What could be read of a model's text. `problem` is None where `ast.literal_eval` gives a dict with all eight keys."""

    values: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None
    position: int | None = None  # the character at which reading failed
    missing: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether all eight keys were read."""
        return self.problem is None

    def stocks(self) -> set[tuple[str, str]]:
        """The named companies with their direction, ('+' or '-', normalised name)."""
        return {(sign, normalise(name)) for sign, key in STOCKS.items() for name in self.values.get(key) or []}


def read_answer(text: str) -> Answer:
    """Read a model's text as a Python dict literal; never executes anything and never raises.

    A dict with missing keys keeps the values that it has. Absent values may be None, [] or ''.
    """
    text = text.strip()
    if len(text) > LENGTH_LIMIT:
        return Answer(problem=TOO_LONG, position=LENGTH_LIMIT)
    if not text.startswith("{"):
        return Answer(problem=NO_DICT, position=0)
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        # Which of these it is differs between Python versions (a NUL character, deep nesting).
        position = _offset(text, error) if isinstance(error, SyntaxError) else 0
        return Answer(problem=SYNTAX if text.endswith("}") else BROKEN_OFF, position=position)
    if not isinstance(value, dict):
        return Answer(problem=NOT_A_DICT, position=0)
    return _check(value)


def _check(value: dict) -> Answer:
    values = {key: value[key] for key in KEYS if key in value}
    for key, held in values.items():
        if key == "is_stock_related":
            fits = isinstance(held, bool)
        elif key in LISTS:
            fits = held is None or held == "" or (isinstance(held, list) and all(isinstance(item, str) for item in held))
        else:
            fits = held is None or held == [] or isinstance(held, str)
        if not fits:
            good = {k: v for k, v in values.items() if k != key}
            return Answer(good, WRONG_TYPE, missing=(key,))
    missing = tuple(key for key in KEYS if key not in values)
    return Answer(values, MISSING_KEYS if missing else None, missing=missing)


def _offset(text: str, error: SyntaxError) -> int:
    lines = text.split("\n")
    line = min(max((error.lineno or 1) - 1, 0), len(lines) - 1)
    # CPython counts columns in characters of the source line, from 1.
    return min(sum(len(one) + 1 for one in lines[:line]) + max((error.offset or 1) - 1, 0), len(text))


def normalise(name: str) -> str:
    """A name for comparison: full-width forms folded, white space removed."""
    return "".join(unicodedata.normalize("NFKC", name).split())


def is_grounded(name: str, article: str) -> bool:
    """Whether a name or keyword occurs in the article, white space aside."""
    return bool(name.strip()) and normalise(name) in normalise(article)


@dataclass
class Counts:
    """True positives, false positives and false negatives, added up over answers."""

    hits: int = 0
    wrong: int = 0
    missed: int = 0

    def add(self, found: Iterable, gold: Iterable) -> None:
        """Compare two sets."""
        found, gold = set(found), set(gold)
        self.hits += len(found & gold)
        self.wrong += len(found - gold)
        self.missed += len(gold - found)

    @property
    def precision(self) -> float:
        """Share of the found that is right; 0 where nothing was found."""
        return self.hits / (self.hits + self.wrong) if self.hits + self.wrong else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold that was found; 0 where there is none."""
        return self.hits / (self.hits + self.missed) if self.hits + self.missed else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        total = 2 * self.hits + self.wrong + self.missed
        return 2 * self.hits / total if total else 0.0
