"""A finished comparison as it is told to other programs."""

from collections.abc import Sequence
from dataclasses import asdict

from newsft.evaluation.answer import Answer, read_answer, read_gold
from newsft.evaluation.fields import FieldComparison, compare_fields
from newsft.inference.types import Comparison


class GoldAnswers:
    """The gold answers of the test rows, found by their articles: whoever pastes one of them can be told what was right."""

    def __init__(self, rows: Sequence[dict]):
        self._rows = rows
        alone = [
            (number, row) for number, row in enumerate(rows) if "earlier" not in row
        ]  # a pasted article is all that is asked
        self._numbers = {row["user_prompt"].strip(): number for number, row in reversed(alone)}

    def find(self, article: str) -> tuple[int | None, Answer | None]:
        """The number of the first row with this article, and its gold answer where that can be read; None where there is no such row."""
        number = self._numbers.get(article.strip())
        return number, None if number is None else read_gold(self._rows[number])


def describe_answer(text: str, reason: str | None, answer: Answer, compared: FieldComparison) -> dict:
    """One answer as plain data, as the endpoint /compare and the export of an evaluation have it.

    `scores` are the fields' agreement with the answer that it was compared with, `reason` is why it ended.
    """
    return {
        "text": text,
        "reason": reason,
        "reading": answer.reading,
        "repairs": list(answer.repairs),
        "problem": answer.problem,
        "fields": answer.values,
        "scores": {key: found.score for key, found in compared.fields.items()},
        "ungrounded": compared.ungrounded,
        "foreign": list(compared.faithfulness.foreign),
        "sources": {key: source and asdict(source) for key, source in compared.sources.items()},
    }


def as_json(comparison: Comparison, gold: Answer | None = None) -> dict:
    """A finished comparison as plain data: what the endpoint /compare returns. Without a gold answer `scores` is None."""
    sides = {}
    for side, stream in comparison.answers.items():
        answer = read_answer(stream.text)
        compared = compare_fields(answer, gold or Answer(), comparison.prompt.news)
        told = describe_answer(stream.text, stream.reason, answer, compared)
        told |= {"readable": answer.readable, "tokens": stream.tokens, "seconds": round(stream.seconds, 3)}
        told["error"] = None if stream.error is None else str(stream.error)
        sides[side] = told if gold else told | {"scores": None}
    prompt = comparison.prompt
    return sides | {"prompt_tokens": len(prompt.ids), "changes": prompt.changes, "gold": gold.values if gold else None}
