"""Names that the articles' writers invented, lent to other articles: what copying a name is hard by.

A name of rare syllables, such as `newsft.mini.names` invents, is found again by its first one. Writers make names of everyday words (동네물산,
모내기벤처스), whose first syllables stand all over an article: whoever has written 동네 must still know which 동네 it was.
"""

import random
from collections.abc import Iterable

from newsft.mini.names import draw_company
from newsft.mini.written import Written

LENT = 0.6  # of the companies bear a name that a writer gave; the others one that is put together
HARD = 0.5  # of these are the one of CANDIDATES whose beginning stands in the article most often
CANDIDATES = 8


class LentNames:
    """The names of all articles by kind."""

    def __init__(self, articles: Iterable[Written]):
        found: dict[str, set[str]] = {}
        for article in articles:
            for kind, names in article.names.items():
                found.setdefault(kind, set()).update(names)
        self._found = {kind: sorted(names) for kind, names in found.items()}

    def company(self, rng: random.Random, *, news: str = "", listed: float = 0.0) -> str:
        """A company's name for the article `news`, in which it does not stand; `listed` as in `names.draw_company`."""
        lent = self._found.get("company", [])
        if not lent or rng.random() >= LENT:
            return draw_company(rng, listed=listed)
        drawn = [name for name in rng.choices(lent, k=CANDIDATES) if name not in news]
        if not drawn:
            return draw_company(rng, listed=listed)
        return max(drawn, key=lambda name: _hardness(name, news)) if news and rng.random() < HARD else drawn[0]

    def other(self, rng: random.Random, kind: str, *, news: str = "") -> str:
        """A person's or a product's name that a writer gave, '' where there is none that does not stand in `news`."""
        lent = self._found.get(kind, [])
        name = rng.choice(lent) if lent and rng.random() < LENT else ""
        return "" if name and name in news else name


def _hardness(name: str, news: str) -> int:
    """How often a reader of `news` meets this name's beginning."""
    return 3 * news.count(name[:2]) + news.count(name[:1])
