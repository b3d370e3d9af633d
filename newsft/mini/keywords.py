"""Words of a text to list, each once and in the order in which they stand.

Which of a text's words are its key words is a matter of taste, so a model is never sure of the next one; what it must be sure of is which
ones it has listed. These tasks ask for that by themselves.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterable

from newsft.mini.finding import Turn, list_values
from newsft.mini.korean import final_consonant
from newsft.mini.reading import FIGURE
from newsft.mini.written import Written

MEASURED = re.compile(rf"(?:[가-힣]{{2,6}} )?{FIGURE.pattern}")  # 영업이익 702억원
OBJECT = re.compile(r"(?<![가-힣])([가-힣]{2,5})([을를])(?![가-힣])")
FEWEST, MOST = 2, 8
AGAIN = 4.0  # times as likely is a word chosen that the text has more than once


class Keywords:
    """The key words of articles, to be found in any text."""

    def __init__(self, articles: Iterable[Written]):
        self._by_start: dict[str, list[str]] = defaultdict(list)
        for article in articles:
            named = {name for found in article.names.values() for name in found}
            for word in {
                word for side in ("negative", "positive") for word in article.answer[f"{side}_keywords"] or []
            }:
                if len(word) > 2 and not any(name in word for name in named) and not re.search(r"\d", word):
                    self._by_start[word[:2]].append(word)
        for words in self._by_start.values():
            words.sort(key=lambda word: (-len(word), word))  # the longest that fits is found first

    def find(self, text: str) -> list[str]:
        """The key words, the figures and the objects of verbs (계약을) that stand in `text`, each once, in their order, none within another."""
        found: list[str] = []
        at = 0
        while at < len(text):
            word = self._starting(text, at)
            if word and word not in found:
                found.append(word)
            at += len(word) if word else 1
        return found

    def _starting(self, text: str, at: int) -> str:
        """The word that starts at this place, '' where none does."""
        if at and "가" <= text[at - 1] <= "힣":
            return ""
        for word in self._by_start.get(text[at : at + 2], ()):
            if text.startswith(word, at):
                return word
        if measured := MEASURED.match(text, at):
            return measured[0]
        match = OBJECT.match(text, at)
        return match[1] if match and (match[2] == "을") == bool(final_consonant(match[1])) else ""


def choose_words(rng: random.Random, words: list[str], count: int, text: str = "") -> list[str]:
    """So many of the words, in their order; rather those that `text` has more than once, since a model that copies lists just these again."""
    likely = {word: rng.random() ** (1 / (AGAIN if text.count(word) > 1 else 1)) for word in words}
    chosen = set(sorted(words, key=likely.__getitem__, reverse=True)[:count])
    return [word for word in words if word in chosen]


def ask_words(rng: random.Random, words: list[str], text: str = "") -> Turn | None:
    """Some of a text's words, in its order: as many as are asked for, or some three or four."""
    if len(words) < FEWEST:
        return None
    count = rng.randint(FEWEST, min(MOST, len(words)))
    how, answer = list_values(rng, choose_words(rng, words, count, text))
    asked = [f"핵심어를 {count}개 뽑아 주세요.", f"중요한 낱말 {count}개를 나오는 차례대로 적어 주세요."]
    if count in (3, 4):
        asked += ["핵심어를 뽑아 주세요.", "주요 낱말을 나오는 차례대로 적어 주세요.", "키워드는 무엇입니까?"]
    return f"{rng.choice(asked)} {how}", answer


def ask_once(rng: random.Random, items: list[str]) -> tuple[str, list[str], list[str]]:
    """Items of which some come again: (what is asked, the items as they are given, each once)."""
    given = list(items)
    for _ in range(rng.randint(1, 1 + len(items) // 2)):
        given.insert(rng.randint(0, len(given)), rng.choice(items))
    asked = rng.choice(
        [
            "겹치는 것은 한 번만 적어 주세요.",
            "되풀이되는 것은 빼고 차례대로 적어 주세요.",
            "서로 다른 것만 적어 주세요.",
        ]
    )
    return asked, given, list(dict.fromkeys(given))
