"""A finished comparison as it is told to other programs."""

from newsft.evaluation.answer import Answer, read_answer
from newsft.evaluation.fields import compare_fields
from newsft.inference.types import Comparison


def as_json(comparison: Comparison, gold: Answer | None = None) -> dict:
    """A finished comparison as plain data: what the endpoint /compare returns. `scores` are the fields' agreement with the gold answer, if there is one."""
    article, sides = comparison.prompt.messages[-1]["content"], {}
    for side, stream in comparison.answers.items():
        answer = read_answer(stream.text)
        compared = compare_fields(answer, gold or Answer(), article)
        sides[side] = {
            "text": stream.text,
            "readable": answer.readable,
            "reading": answer.reading,
            "repairs": list(answer.repairs),
            "problem": answer.problem,
            "fields": answer.values,
            "ungrounded": compared.ungrounded,
            "foreign": list(compared.faithfulness.foreign),
            "scores": {key: found.score for key, found in compared.fields.items()} if gold else None,
            "tokens": stream.tokens,
            "seconds": round(stream.seconds, 3),
            "reason": stream.reason,
            "error": None if stream.error is None else str(stream.error),
        }
    return sides | {"prompt_tokens": len(comparison.prompt.ids), "changes": comparison.prompt.changes, "gold": gold.values if gold else None}
