"""What other trainers make of a row that is longer than they take."""

from collections.abc import Callable

from newsft.encoding.row import IGNORED, Encoded
from newsft.lessons.behaviours import Case, add_text_end
from newsft.lessons.row_parts import find_stretches, join_parts, take_part


def cut_end_or_drop(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """The first `limit` tokens stay; a row that has no label left is taken out, without a message."""
    cut = take_part(row, 0, limit)
    return cut if any(label != IGNORED for label in cut.labels) else None


def cut_prompt(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """The end of the prompt goes first, and with it the header before the answer; the answer only where it takes half the limit.

    LLaMA-Factory's rule (`infer_seqlen`), turn by turn with what the turns before have left.
    """
    borders, parts, left = [0], [], limit
    for first in find_stretches(row, "answer"):
        borders += [first, next((i for i in range(first, len(row)) if row.labels[i] == IGNORED), len(row))]
    for start, first, last in zip(borders[0::2], borders[1::2], borders[2::2], strict=False):
        source, target = first - start, last - first
        if left <= 0:
            break
        if target * 2 < left:
            most = left
        else:
            most = left - source if source * 2 < left else int(left * target / (source + target))
        target = min(most, target)
        source = min(max(left - target, 0), source)
        parts += [take_part(row, start, start + source), take_part(row, first, first + target)]
        left -= source + target
    return join_parts(parts)


Rule = Callable[[Encoded, Case, int], Encoded | None]
LIMITS: dict[str, Rule] = {  # by the names that they have in assets/trainers.toml
    # There is no limit.
    "keep_whole": lambda row, case, limit: row,
    # The row is left out of the training.
    "drop": lambda row, case, limit: None,
    # The first `limit` tokens stay, with or without a label among them.
    "cut_end": lambda row, case, limit: take_part(row, 0, limit),
    "cut_end_or_drop": cut_end_or_drop,
    # The first `limit` tokens stay, the last of them replaced by the token that ends a document.
    "cut_to_text_end": lambda row, case, limit: add_text_end(take_part(row, 0, limit - 1), case),
    "cut_prompt": cut_prompt,
}
