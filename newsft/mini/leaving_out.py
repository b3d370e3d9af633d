"""An article without some of the sentences that its gold answer does not need: read a hundred times as a whole, a small model knows it by heart."""

import random
from collections.abc import Iterator

from newsft.evaluation.sources import SENTENCE_END
from newsft.mini.copying import copied_from
from newsft.mini.written import Written, order_lists

MOST = 0.5  # of the sentences that could go; each article's share is drawn from 0 to this


def cut_stretches(news: str) -> Iterator[str]:
    """The article's sentences with what follows each, together the article; those of one quotation are one stretch."""
    held, start = "", 0
    for end in [*(match.end() for match in SENTENCE_END.finditer(news)), len(news)]:
        held += news[start:end]
        start = end
        if held.count("“") == held.count("”") and held.count('"') % 2 == 0:
            yield held
            held = ""
    if held:
        yield held


def leave_out(rng: random.Random, article: Written, *, most: float = MOST) -> Written:
    """The article without some sentences; its answer stays, and is still said by what is left.

    A stretch stays that holds a key word, the first mention of a stock, or the sentence that a reason or the summary was copied from.
    """
    answer = article.answer
    words = [*(answer["negative_keywords"] or []), *(answer["positive_keywords"] or [])]
    copied = [answer[key] for key in ("reason_for_negative_impact", "reason_for_positive_impact", "summary")]
    unnamed, share, kept = set(article.stocks), rng.random() * most, []
    for stretch in cut_stretches(article.news):
        named = {stock for stock in unnamed if stock in stretch}
        needed = (
            named
            or any(word in stretch for word in words)
            or any(text and copied_from(text, [stretch]) is None for text in copied)
        )
        if needed or rng.random() >= share:
            kept.append(stretch)
            unnamed -= named
    news = "".join(kept).strip()
    named = {kind: [name for name in names if name in news] for kind, names in article.names.items()}
    return Written(news, order_lists(answer, news), named, article.part)
