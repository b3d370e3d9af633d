"""From which sentence of its article a reason or a summary was taken, and what of it that sentence lacks.

An answer whose every word is the article's can still be false: a small model joins the beginning of one sentence to the end of another.
"""

import re
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher

from newsft.evaluation.answer import Answer
from newsft.evaluation.faithfulness import NUMBER, TEXTS, WORD, content_words, holds

SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+|\n+|(?<=[다요죠까])\.(?=[가-힣A-Z\[(■▶])")
LEAST = 0.5  # of a text's words and numbers must stand in one sentence for that to be its source


@dataclass(frozen=True)
class Source:
    """A sentence of the article, and the words and numbers of the text that it lacks, each once in order."""

    sentence: str
    lacks: tuple[str, ...] = ()


def split_sentences(news: str) -> list[str]:
    """The sentences of an article, headline and captions among them, without empty ones."""
    return [part.strip() for part in SENTENCE_END.split(news) if part and part.strip()]


def find_source(text: str, article: str) -> Source | None:
    """The sentence that holds most of a text's words and numbers; None where none holds half of them.

    '적자가 17억원 줄었기 때문입니다.' in '매출은 늘었다. 적자가 17억원 줄었다.': the second sentence, which lacks nothing.
    """
    words = content_words(text)
    said = _said(text)
    found = [(sentence, _missing(said, words[-1] if words else "", sentence)) for sentence in split_sentences(article)]
    fewest = min((len(missing) for _, missing in found), default=len(said))
    if not said or fewest > len(said) * (1 - LEAST):
        return None
    sentence, missing = max((one for one in found if len(one[1]) == fewest), key=lambda one: _shared(text, one[0]))
    return Source(sentence, tuple(dict.fromkeys(missing)))


def find_sources(answer: Answer, article: str) -> dict[str, Source | None]:
    """The source of every reason and of the summary that says something, with a word or a number."""
    texts = {key: answer.values.get(key) for key in TEXTS}
    return {key: find_source(text, article) for key, text in texts.items() if isinstance(text, str) and _said(text)}


def _said(text: str) -> list[str]:
    return [*content_words(text), *NUMBER.findall(text)]


def _missing(said: list[str], last: str, sentence: str) -> list[str]:
    numbers, letters = set(NUMBER.findall(sentence)), unicodedata.normalize("NFD", sentence)
    begun = {word[0] for word in WORD.findall(sentence)}

    def is_held(one: str) -> bool:
        if NUMBER.fullmatch(one):
            return one in numbers
        # The last word has another ending (늘어 -> 늘었기, 1.4배다 -> 1.4배이기): its first syllable tells.
        return holds(letters, one) or (one == last and one[0] in begun)

    return [one for one in said if not is_held(one)]


def _shared(text: str, sentence: str) -> int:
    """The length of the longest stretch that both have: a headline often has the same words as the sentence below it."""
    return SequenceMatcher(None, text, sentence, autojunk=False).find_longest_match().size
