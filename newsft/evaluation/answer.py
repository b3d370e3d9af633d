"""Model text -> Answer."""

import ast
import json
from dataclasses import dataclass, field
from typing import Any

from newsft.data.literal import read_dict
from newsft.data.messages import gold_answer
from newsft.evaluation import repair

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
LENGTH_LIMIT = 20_000  # characters; longer texts are not parsed

# How a text was read, and why not, by what the page and the reports call it.
STRICT, REPAIRED, UNREADABLE = "strict", "repaired", "unreadable"
NO_DICT, SYNTAX, MISSING_KEYS, WRONG_TYPE, TOO_LONG = "no_dict", "syntax", "missing_keys", "wrong_type", "too_long"


@dataclass(frozen=True)
class Answer:
    """What could be read of a model's text.

    `reading` is STRICT if and only if `ast.literal_eval` reads the text as a dict, REPAIRED where each departure could be named
    in `repairs`, and UNREADABLE otherwise. `problem` says what else is wrong: keys that are missing, a value of the wrong kind.
    A key that stands there twice is named too, though `ast.literal_eval` lets it.
    """

    values: dict[str, Any] = field(default_factory=dict)
    reading: str = STRICT
    repairs: tuple[str, ...] = ()
    problem: str | None = None
    position: int | None = None  # the character at which reading failed
    missing: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether `ast.literal_eval` reads all eight keys."""
        return self.problem is None and self.reading == STRICT


def read_answer(text: str) -> Answer:
    """Read a model's text: strictly as a Python dict literal, then as JSON, then with repairs that are named.

    Never executes anything, never raises, never invents: a value that is missing or does not end is left out.
    Absent values may be None, [] or ''.
    """
    if len(text) > LENGTH_LIMIT:
        return Answer(reading=UNREADABLE, problem=TOO_LONG, position=LENGTH_LIMIT)
    if (value := read_dict(text)) is not None:
        return _check(value, _note_repeated(text, value), reading=STRICT)
    body, around = repair.peel(text)
    if (value := read_dict(body)) is not None:
        return _check(value, (around or [repair.SPACE]) + _note_repeated(body, value))
    value, repeated = _read_json(body)
    if isinstance(value, dict):
        return _check(value, [*around, repair.JSON] + [repair.REPEATED] * repeated)
    found = repair.read_damaged(text)
    if found.position is not None and not (repair.BROKEN_OFF in found.repairs and found.values):
        return Answer(reading=UNREADABLE, problem=SYNTAX if "{" in text else NO_DICT, position=found.position)
    return _check(found.values, found.repairs)


def read_gold(row: dict) -> Answer | None:
    """A row's gold answer; None where its text is no dict, or a value in it is of another kind than its key's: nothing can be compared with it."""
    held = gold_answer(row)
    answer = None if held is None else _check(held, [], reading=STRICT)
    return None if answer is None or answer.problem == WRONG_TYPE else answer


def _note_repeated(text: str, value: dict) -> list[str]:
    return [repair.REPEATED] if len(ast.parse(text.lstrip(" \t"), mode="eval").body.keys) > len(value) else []


def _read_json(text: str) -> tuple[Any, bool]:
    objects: list[list[tuple[str, Any]]] = []
    try:
        value = json.loads(text, object_pairs_hook=lambda pairs: objects.append(pairs) or dict(pairs))
    except (ValueError, RecursionError):
        return None, False
    return value, isinstance(value, dict) and len(objects[-1]) > len(value)


def _check(value: dict, repairs: list[str], *, reading: str = REPAIRED) -> Answer:
    values = {key: _sound(value[key]) for key in KEYS if key in value}
    wrong = tuple(key for key, held in values.items() if not _fits(key, held))
    values = {key: held for key, held in values.items() if key not in wrong}
    missing = tuple(key for key in KEYS if key not in values)
    problem = WRONG_TYPE if wrong else MISSING_KEYS if missing else None
    return Answer(values, reading, tuple(repairs), problem, missing=wrong or missing)


def _fits(key: str, held: Any) -> bool:
    if key == "is_stock_related":
        return isinstance(held, bool)
    if key in LISTS:
        return held is None or held == "" or (isinstance(held, list) and all(isinstance(item, str) for item in held))
    return held is None or held == [] or isinstance(held, str)


def _sound(held: Any) -> Any:
    """Escapes may spell half of a surrogate pair, which no page or file can hold."""
    if isinstance(held, str):
        return held.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return [_sound(item) for item in held] if isinstance(held, list) else held
