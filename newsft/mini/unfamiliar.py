"""Unfamiliar words: part of an article's words give way to invented ones, so that a name is read wherever it stands.

The generator knows some thousand words, and an article that no generator wrote is full of others. A model that has only met the
known ones takes an unknown word beside a name for a part of it. What an answer is made of stays: names, keywords, the words of
headline, reasons and summary.
"""

import random
import re
from dataclasses import replace

from newsft.mini import names
from newsft.mini.articles import Article

MOST = 0.5  # of the words that may give way; each article's share is drawn from 0 to this
WORD = re.compile(r"[가-힣]{2,}")
STEM = 2  # syllables by which two forms of a word are taken for the same


def make_unfamiliar(rng: random.Random, article: Article) -> Article:
    """The article with some of its Hangul words of two syllables or more replaced; the last syllable, as a rule the ending, stays."""
    keywords = [word for words in article.keywords.values() for word in words]
    kept = {word[:STEM] for word in WORD.findall(" ".join([article.headline, article.summary, *article.reasons.values(), *keywords]))}
    quoted = {at for text in (*article.companies, *keywords) for match in re.finditer(re.escape(text), article.text) for at in range(*match.span())}
    share = rng.random() * MOST

    def invent(match: re.Match) -> str:
        word = match[0]
        if word[:STEM] in kept or not quoted.isdisjoint(range(*match.span())) or rng.random() >= share:
            return word
        return "".join(rng.choices(rng.choice([names.SYLLABLES, names.NAME_SYLLABLES]), k=len(word) - 1)) + word[-1]

    return replace(article, text=WORD.sub(invent, article.text))
