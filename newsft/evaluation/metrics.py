"""Answers -> scores with intervals: per side, per kind of article, and the difference between the sides.

Every score is a ratio of two sums over rows, so one resampling of the rows gives the interval of all of them, and of
the differences between sides over the same rows.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

import numpy as np

from newsft.data.messages import asked_text
from newsft.evaluation import faithfulness
from newsft.evaluation.answer import KEYS, LISTS, Answer, read_answer, read_gold
from newsft.evaluation.fields import STOCKS, Counts, FieldComparison, compare_fields, fold_text, stocks_of

RESAMPLES, CONFIDENCE, SEED = 2000, 0.95, 7
TEXTS = tuple(key for key in KEYS if key not in LISTS and key != "is_stock_related")


@dataclass(frozen=True)
class ScoredAnswer:
    """One answer, read and compared with the gold answer field by field."""

    row: int
    text: str
    reason: str  # why the generation ended
    answer: Answer
    gold: Answer | None  # None where the row's could not be read: nothing is measured against it then
    compared: FieldComparison

    @property
    def kind(self) -> str:
        """What the article is about, by its gold answer: no stock, good news, bad news, or both; unscored where there is none."""
        if self.gold is None:
            return "unscored"
        sides = [
            name for name, key in (("positive", STOCKS["+"]), ("negative", STOCKS["-"])) if self.gold.values.get(key)
        ]
        return "both" if len(sides) == 2 else (sides or ["unrelated"])[0]

    @property
    def score(self) -> float | None:
        """How far it agrees with the gold answer; None where there is none."""
        return None if self.gold is None else self.compared.score


def score_text(row: int, source: dict, text: str, reason: str) -> ScoredAnswer:
    """A model's text about the row `source` of the data."""
    answer, gold = read_answer(text), read_gold(source)
    return ScoredAnswer(row, text, reason, answer, gold, compare_fields(answer, gold or Answer(), asked_text(source)))


Ratio = tuple[float, float]  # what one row adds to the numerator and to the denominator


def _with_gold(measure: Callable[[ScoredAnswer], Ratio]) -> Callable[[ScoredAnswer], Ratio]:
    """The measure; nothing to count where a row has no gold answer."""

    @wraps(measure)
    def counted(one: ScoredAnswer, **settings: Any) -> Ratio:
        return (0, 0) if one.gold is None else measure(one, **settings)

    return counted


def _count(one: ScoredAnswer, keys: Iterable[str]) -> Counts:
    fields = [one.compared.fields[key] for key in keys]
    names = ("true_positives", "false_positives", "false_negatives")
    return Counts(*(sum(len(getattr(found, name)) for found in fields) for name in names))


def _precision(counts: Counts) -> Ratio:
    return counts.true_positives, counts.true_positives + counts.false_positives


def _recall(counts: Counts) -> Ratio:
    return counts.true_positives, counts.true_positives + counts.false_negatives


def _f1(counts: Counts) -> Ratio:
    return 2 * counts.true_positives, 2 * counts.true_positives + counts.false_positives + counts.false_negatives


def _names_company(one: ScoredAnswer) -> Ratio:
    names = {name for _, name in stocks_of(one.gold)}
    return any(name in fold_text(one.text) for name in names), bool(names)


def _grounded(one: ScoredAnswer) -> Ratio:
    named = sum(len(one.answer.values.get(key) or []) for key in STOCKS.values())
    return named - sum(len(one.compared.ungrounded.get(key, [])) for key in STOCKS.values()), named


def _from_one_sentence(one: ScoredAnswer) -> Ratio:
    sources = one.compared.sources.values()
    return sum(source is not None and not source.lacks for source in sources), len(sources)


def _direction(one: ScoredAnswer) -> Ratio:
    found, gold = ({sign for sign, _ in stocks_of(answer)} for answer in (one.answer, one.gold))
    return bool(gold) and found == gold, bool(gold)


def _chrf(one: ScoredAnswer, keys: list[str]) -> Ratio:
    found = [one.compared.fields[key].score for key in keys if one.compared.fields[key].score is not None]
    return sum(found), len(found)


# By the names that the measures have in files and texts.
MEASURES: dict[str, Callable[[ScoredAnswer], Ratio]] = {
    # Share of answers that `ast.literal_eval` reads with all eight keys.
    "readable": lambda one: (one.answer.readable, 1),
    # Share of rows whose relevance is said rightly.
    "is_stock_related_accuracy": _with_gold(lambda one: (one.compared.fields["is_stock_related"].score, 1)),
    # Of the companies named with a direction, the share that is right in both; of the gold ones, the share that is so named; their harmonic mean.
    "stock_precision": _with_gold(lambda one: _precision(_count(one, STOCKS.values()))),
    "stock_recall": _with_gold(lambda one: _recall(_count(one, STOCKS.values()))),
    "stock_f1": _with_gold(lambda one: _f1(_count(one, STOCKS.values()))),
    # The last of the three for the keywords.
    "keyword_f1": _with_gold(lambda one: _f1(_count(one, [key for key in LISTS if key.endswith("keywords")]))),
    # Mean chrF, where the answer or the gold answer has such a text.
    "reason_chrf": _with_gold(lambda one: _chrf(one, [key for key in TEXTS if key.startswith("reason")])),
    "summary_chrf": _with_gold(lambda one: _chrf(one, ["summary"])),
    # Share of the stock articles whose raw text, readable or not, names a company that the article affects.
    "names_company": _with_gold(_names_company),
    # Of the companies named, the share that occurs in the article.
    "grounded": _grounded,
    # Share of the stock articles whose direction is right: good, bad or both, whichever companies are named.
    "direction_accuracy": _with_gold(_direction),
    # Of the content words, and of the numbers, in reasons and summary, the share that the article holds.
    "words_in_article": lambda one: (one.compared.faithfulness.words_held, one.compared.faithfulness.words),
    "numbers_in_article": lambda one: (one.compared.faithfulness.numbers_held, one.compared.faithfulness.numbers),
    # Of the reasons and summaries, the share whose words and numbers all stand in one sentence of the article.
    "from_one_sentence": _from_one_sentence,
    # Share of the answers that repeat themselves; the fewer the better.
    "loops": lambda one: (faithfulness.loops(one.text), 1),
}


def score(scored: list[ScoredAnswer]) -> dict:
    """The scores of one side's answers, one per row, as they stand in summary.json.

    rows, and every measure by its name: None where nothing was there to measure
    intervals           measure -> 95 % bootstrap interval over rows, [low, high]
    readings, problems, stop_reasons     what -> how many answers
    fields              key of the answer -> mean score and interval over the rows where it or gold holds something
    kinds               kind of article -> rows, measures and intervals
    """
    parts = {kind: [one for one in scored if one.kind == kind] for kind in sorted({one.kind for one in scored})}
    values, limits = _measure_all(scored, {key: partial(_field, key=key) for key in KEYS})
    return _score_rows(scored) | {
        "readings": _tally(" + ".join(one.answer.repairs) or one.answer.reading for one in scored),
        "problems": _tally(one.answer.problem or "none" for one in scored),
        "stop_reasons": _tally(one.reason for one in scored),
        "fields": {key: {"score": values[key], "interval": limits[key]} for key in KEYS},
        "kinds": {kind: _score_rows(part) for kind, part in parts.items()},
    }


def _score_rows(scored: list[ScoredAnswer]) -> dict:
    values, intervals = _measure_all(scored, MEASURES)
    return {"rows": len(scored), **values, "intervals": intervals}


def compare(first: list[ScoredAnswer], second: list[ScoredAnswer]) -> dict[str, dict]:
    """How much better `second` is than `first` over the same rows, with the interval of the paired difference."""
    if [one.row for one in first] != [one.row for one in second]:
        raise ValueError("Both sides must have answered the same rows.")
    weights, found = resample(len(first)), {}
    for name in MEASURES:
        parts = [_ratios(side, MEASURES[name]) for side in (first, second)]
        shares = [_share(top.sum(), bottom.sum()) for top, bottom in parts]
        if None in shares:
            found[name] = None
            continue
        with np.errstate(invalid="ignore", divide="ignore"):
            before, after = ((weights @ top) / (weights @ bottom) for top, bottom in parts)
        found[name] = {"difference": round(shares[1] - shares[0], 4), "interval": _limits(after - before)}
    return found


def resample(rows: int) -> np.ndarray:
    """How often each row is drawn in each bootstrap sample, (RESAMPLES, rows); the same for every side."""
    return np.random.default_rng(SEED).multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES)


def _measure_all(scored: list[ScoredAnswer], measures: dict[str, Callable[[ScoredAnswer], Ratio]]) -> tuple[dict, dict]:
    """name -> value, and name -> interval."""
    weights, values, intervals = resample(len(scored)), {}, {}
    for name, measure in measures.items():
        top, bottom = _ratios(scored, measure)
        values[name] = _share(top.sum(), bottom.sum())
        intervals[name] = _interval(weights @ top, weights @ bottom)
    return values, intervals


def _ratios(scored: list[ScoredAnswer], measure: Callable[[ScoredAnswer], Ratio]) -> tuple[np.ndarray, np.ndarray]:
    return tuple(np.array([measure(one) for one in scored], dtype=float).reshape(-1, 2).T)


@_with_gold
def _field(one: ScoredAnswer, key: str) -> Ratio:
    score = one.compared.fields[key].score
    return score or 0.0, score is not None


def _share(top: float, bottom: float) -> float | None:
    return round(float(top / bottom), 4) if bottom else None


def _interval(top: np.ndarray, bottom: np.ndarray) -> list[float] | None:
    with np.errstate(invalid="ignore", divide="ignore"):
        return _limits(top / bottom) if bottom.any() else None


def _limits(sampled: np.ndarray) -> list[float]:
    tail = (1 - CONFIDENCE) / 2
    return [round(float(limit), 4) for limit in np.nanquantile(sampled, [tail, 1 - tail])]


def _tally(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())
