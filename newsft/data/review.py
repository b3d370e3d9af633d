"""What is odd about the rows of a data set and stops no training: said with row numbers and the remedy before it begins."""

from collections.abc import Iterable

from newsft.data.messages import asked_messages, gold_answer, row_messages
from newsft.data.rows import Split
from newsft.errors import list_rows

REPLACED = "\ufffd"  # what a decoder puts where it cannot read a byte


def review(split: Split) -> list[str]:
    """A sentence for each oddity; rows are counted from 0 in the data set's order, the test half first."""
    rows, start = split.rows, len(split.test)
    seen_in_test = {_asked(row) for row in split.test}
    unread = [number for number, row in enumerate(rows) if gold_answer(row) is None]
    damaged = [number for number, row in enumerate(rows) if REPLACED in str(row_messages(row))]
    shared = [number for number, row in enumerate(split.train, start) if _asked(row) in seen_in_test]
    again_in_train, again_in_test = list(_repeated(split.train, first=start)), list(_repeated(split.test, first=0))
    found = {
        "have an answer that is no dictionary; it is trained as it stands and cannot be scored. Write it as a Python dict": unread,
        f"hold the character {REPLACED}, which a wrong encoding leaves behind; convert the source to UTF-8 again": damaged,
        "of the training half repeat the news of an earlier one; it weighs as often as it stands there. Remove what is not meant": again_in_train,
        "of the test half repeat the news of an earlier one; it is scored as often as it stands there. Remove what is not meant": again_in_test,
        "of the training half have the news of a test row; the evaluation would ask for what was learned by heart. Remove them from one half": shared,
    }
    return [f"{len(numbers)} row(s) {what} (rows {list_rows(numbers)})" for what, numbers in found.items() if numbers]


def _repeated(rows: list[dict], *, first: int) -> Iterable[int]:
    seen = set()
    for number, row in enumerate(rows, first):
        if _asked(row) in seen:
            yield number
        seen.add(_asked(row))


def _asked(row: dict) -> tuple[str, ...]:
    return tuple(message["content"] for message in asked_messages(row | {"system_prompt": ""}))
