"""Whether what an answer says stands in its article: the numbers and words of its reasons and summary, and answers that go round in a loop.

A plain rule without a dictionary: Korean words are compared by their first two syllables, so that another ending (줄었다, 줄었습니다) is the
same word. Words that carry the sentence and not its content (때문입니다, 것으로) are left out, as are words of one syllable before their ending.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from newsft.evaluation.answer import KEYS, LISTS, Answer

TEXTS = tuple(key for key in KEYS if key not in LISTS and key != "is_stock_related")
STEM = 2  # syllables
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
WORD = re.compile(r"[가-힣]+|[A-Za-z]+")
TOKEN = re.compile(f"{NUMBER.pattern}|{WORD.pattern}")
ENDING = re.compile(
    r"(?:습니다|니다|기)$|(?<=^.)[은는이가을를의에로도와과만]$"
)  # of a word of two syllables a particle too
PIEUP = "\u11b8"  # the final ㅂ that 합니다 adds to 하
# Words that any sentence may have, by their first two syllables.
FUNCTION_WORDS = frozenset(
    "때문 것으 것이 것입 것은 것을 있습 없습 했습 됐습 됩니 합니 입니 이기 하기 되기 있기 없기 했기 됐기 였기 그리 그러 하지 또한 이로 이에 따라 위해 대한 대해 통해".split()
)
LOW = 0.8  # share below which a reader is warned: the gold answers have 0.99 and more
LOOP = re.compile(
    r"(.{6,}?)\1{2,}|(.{2,5}?)\2{4,}|(\S+)(?: \3){3,}", re.DOTALL
)  # three times a phrase, five times a few signs, four times a word


@dataclass(frozen=True)
class Faithfulness:
    """How many of an answer's words and numbers its article holds, and those that it does not, each once in order."""

    words: int = 0
    words_held: int = 0
    numbers: int = 0
    numbers_held: int = 0
    foreign: tuple[str, ...] = ()  # the words and numbers, as written, that the article does not hold

    @property
    def share(self) -> float | None:
        """Of all words and numbers the share that the article holds; None where the texts have none."""
        total = self.words + self.numbers
        return (self.words_held + self.numbers_held) / total if total else None


def split_foreign(text: str, foreign: Collection[str]) -> Iterator[tuple[str, bool]]:
    """The text in stretches, each with whether it is one of the `foreign` words or numbers."""
    end = 0
    for match in TOKEN.finditer(text):
        if match[0] in foreign:
            yield text[end : match.start()], False
            yield match[0], True
            end = match.end()
    yield text[end:], False


def content_words(text: str) -> list[str]:
    """The words of a text that say something, as written."""
    words = [word for word in WORD.findall(text) if len(word) >= STEM and word[:STEM] not in FUNCTION_WORDS]
    return [word for word in words if word.isascii() or len(ENDING.sub("", word)) >= STEM]


def holds(article: str, word: str) -> bool:
    """Whether the article has a word, its ending aside. `article` is decomposed (NFD): 올립니다 is held by 올린다, which shares no second syllable but its letters."""
    if word.isascii():
        return word.lower() in article.lower()
    stem = unicodedata.normalize("NFD", ENDING.sub("", word)[:STEM])
    return (stem.removesuffix(PIEUP) if word.endswith("니다") else stem) in article


def measure(answer: Answer, article: str) -> Faithfulness:
    """The words and numbers of an answer's reasons and summary beside its article, e.g. '3% 줄었습니다.' beside '5% 줄었다' holds its word and not its number."""
    texts = [value for key in TEXTS if isinstance(value := answer.values.get(key), str)]
    words = [word for text in texts for word in content_words(text)]
    numbers = [number for text in texts for number in NUMBER.findall(text)]
    known, letters = set(NUMBER.findall(article)), unicodedata.normalize("NFD", article)
    foreign_words = [word for word in words if not holds(letters, word)]
    foreign_numbers = [number for number in numbers if number not in known]
    held = len(words) - len(foreign_words), len(numbers) - len(foreign_numbers)
    foreign = tuple(dict.fromkeys(foreign_words + foreign_numbers))
    return Faithfulness(len(words), held[0], len(numbers), held[1], foreign)


def loops(text: str) -> bool:
    """Whether a text repeats itself as no written text does."""
    return bool(LOOP.search(text))
