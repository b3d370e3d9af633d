"""Slips: mistakes set into an answer on purpose, between two marks, which the training reads without learning them.

A model of this size loops and babbles now and then. Trained on flawless answers alone it has never seen what comes after a
mistake, and goes on with it to the limit; here it learns to close the string or the list and to go on with the next key.
"""

import random
import re
from itertools import pairwise

from newsft.encoding.stretches import Span

OPEN, CLOSE = "⟦⟧"
CUT = CLOSE + CLOSE  # behind it, the end of the string belongs to the slip too: it came too early
REPEATS = (2, 12)


def set_slip(rng: random.Random, answer: dict, *texts: str) -> dict:
    """The answer with a marked slip in one of its lists or strings (the same if all are empty), its prose out of one of `texts`.

    Never in a list at the end: there the model learned to end the answer after a list that went wrong, whatever was still asked for.
    """
    filled = [
        key
        for key, value in answer.items()
        if value and not isinstance(value, bool) and not (isinstance(value, list) and key == list(answer)[-1])
    ]
    if not filled:
        return answer
    key, sentences = rng.choice(filled), _sentences(rng.choice(texts))
    value = answer[key]
    if isinstance(value, list):
        prose = sentences + [part for part in answer.values() if isinstance(part, str) and part]
        return answer | {key: _slip_in_list(rng, value, prose)}
    items = [item for part in answer.values() if isinstance(part, list) for item in part]
    return answer | {key: _slip_in_string(rng, value, sentences, items or value.split(" "))}


def take_marks(text: str) -> tuple[str, list[Span]]:
    """The text without its marks, and the characters that each pair of them enclosed."""
    text = re.sub(rf"{CUT}(['\"],)?", rf"\1{CLOSE}", text)
    parts = text.replace(CLOSE, OPEN).split(OPEN)
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    return "".join(parts), list(pairwise(ends))[1::2]


def _slip_in_list(rng: random.Random, items: list[str], prose: list[str]) -> list[str]:
    """A loop of syllables, items again, or one of the sentences of `prose`, or a part of two of them, in the list."""
    form = rng.random()
    if form < 0.15:
        return [*items[:-1], items[-1] + _syllable_loop(rng, items[-1])]
    *kept, last = items
    added = [_splice(rng, prose)] if form < 0.65 else items[-rng.randint(1, 3) :] * rng.randint(1, REPEATS[1] // 2)
    if form < 0.5:
        words = last.split(" ")
        return [
            *kept,
            f"{' '.join(words[: rng.randint(1, len(words))])}{OPEN} {added[0]}{CLOSE}",
        ]  # an item that turns into prose
    return [
        *kept,
        last + OPEN,
        *added[:-1],
        added[-1] + CLOSE,
    ]  # what separates the items belongs to the slip: after the last whole one the list ends


def _slip_in_string(rng: random.Random, value: str, sentences: list[str], items: list[str]) -> str:
    """A loop of syllables or of words, sentences that do not belong there, or an end that comes too early."""
    form = rng.random()
    words = value.split(" ")
    end = rng.randint(1, len(words))
    kept = " ".join(words[:end])
    looped = " ".join(words[max(0, end - rng.randint(1, 8)) : end])
    if form < 0.15:
        return kept + _syllable_loop(rng, kept)
    if form < 0.35:
        return f"{value}{OPEN} {' '.join(rng.choices(sentences, k=rng.randint(1, 4)))}{CLOSE}"
    if form < 0.6:
        return f"{kept}{OPEN} {' '.join([looped] * rng.randint(*REPEATS))}{CLOSE}"
    if form < 0.75:
        return f"{kept}{OPEN} {' '.join([looped] * rng.randint(0, 3))}".rstrip(" ") + CUT
    said = [rng.choice(items)] * rng.randint(1, 3)
    return f"{OPEN}{' '.join(said)}{CUT}" if form < 0.85 else f"{kept}{OPEN} {' '.join(said)}{CUT}"


def _splice(rng: random.Random, sentences: list[str]) -> str:
    """A sentence, or the words of one from somewhere on, often behind the first words of another: prose as the model makes it."""
    begun, ended = (rng.choice(sentences).split(" ") for _ in range(2))
    if rng.random() < 0.3:
        return " ".join(ended)
    return " ".join([*begun[: rng.randint(0, len(begun))], *ended[rng.randrange(len(ended)) :]])


def _syllable_loop(rng: random.Random, before: str) -> str:
    looped = before[-rng.randint(1, 5) :]
    return OPEN + looped * rng.randint(REPEATS[0] + 1, 3 * REPEATS[1]) + CLOSE


def _sentences(text: str) -> list[str]:
    """The article's sentences, in the answers' register or not; without quotation marks, which would end a string."""
    stripped = [sentence.strip(" .") for line in text.split("\n") for sentence in line.split(". ")]
    return [f"{sentence}." for sentence in stripped if sentence and not set("'\"{}[]").intersection(sentence)] or ["."]
