"""Slips: mistakes set into an answer on purpose, between two marks, which the training reads without learning them.

A model of this size loops and babbles now and then. Trained on flawless answers alone it has never seen what comes after a
mistake, and goes on with it to the limit; here it learns to close the string or the list and to go on with the next key.
"""

import random
from itertools import pairwise

from newsft.chat import Span

OPEN, CLOSE = "⟦⟧"
REPEATS = (2, 12)


def set_slip(rng: random.Random, answer: dict, text: str) -> dict:
    """The answer with a marked slip in one of its lists or strings (the same if all are empty); `text` is the article."""
    filled = [key for key, value in answer.items() if value and not isinstance(value, bool)]
    if not filled:
        return answer
    key = rng.choice(filled)
    value = answer[key]
    return answer | {key: _slip_in_list(rng, value, text, stocks=key.endswith("stocks")) if isinstance(value, list) else _slip_in_string(rng, value, text)}


def take_marks(text: str) -> tuple[str, list[Span]]:
    """The text without its marks, and the characters that each pair of them enclosed."""
    parts = text.replace(CLOSE, OPEN).split(OPEN)
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    return "".join(parts), list(pairwise(ends))[1::2]


def _slip_in_list(rng: random.Random, items: list[str], text: str, *, stocks: bool) -> list[str]:
    form = rng.random()
    if form < 0.2:
        return [*items[:-1], items[-1] + _syllable_loop(rng, items[-1])]
    *kept, last = items
    if form < 0.5 and not stocks:
        added = [rng.choice(_sentences(text))]
    else:
        added = items[-rng.randint(1, 3) :] * rng.randint(1, REPEATS[1] // 2)
    return [*kept, last + OPEN, *added[:-1], added[-1] + CLOSE]  # what separates the items belongs to the slip: after the last whole one the list ends


def _slip_in_string(rng: random.Random, value: str, text: str) -> str:
    form = rng.random()
    words = value.split(" ")
    if form < 0.25:
        kept = " ".join(words[: rng.randint(1, len(words))])
        return kept + _syllable_loop(rng, kept)
    if form < 0.45:
        return f"{value}{OPEN} {rng.choice(_sentences(text))}{CLOSE}"
    end = rng.randint(1, len(words))
    looped = words[max(0, end - rng.randint(1, 8)) : end]
    return f"{' '.join(words[:end])}{OPEN}{(' ' + ' '.join(looped)) * rng.randint(*REPEATS)}{CLOSE}"


def _syllable_loop(rng: random.Random, before: str) -> str:
    looped = before[-rng.randint(1, 5) :]
    return OPEN + looped * rng.randint(REPEATS[0] + 1, 3 * REPEATS[1]) + CLOSE


def _sentences(text: str) -> list[str]:
    """The article's sentences, in the answers' register or not; without quotation marks, which would end a string."""
    stripped = [sentence.strip(" .") for line in text.split("\n") for sentence in line.split(". ")]
    return [f"{sentence}." for sentence in stripped if sentence and not set("'\"{}[]").intersection(sentence)] or ["."]
