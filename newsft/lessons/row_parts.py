"""A row taken apart and put together again: what the behaviours of other trainers are made of."""

from collections.abc import Sequence

from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import IGNORED, Encoded


def find_stretches(row: Encoded, origin: str) -> list[int]:
    """The first positions of the stretches of one origin."""
    return [i for i, found in enumerate(row.origins) if found == origin and (i == 0 or row.origins[i - 1] != origin)]


def find_header(row: Encoded, chat: ChatFormat, first: int) -> int:
    """Where the header begins that stands before the content at `first`: behind an end of turn, a content or BOS."""
    start = first
    while (
        start > 0
        and row.origins[start - 1] == "template"
        and row.input_ids[start - 1] not in (chat.end_id, chat.tokenizer.bos_token_id)
    ):
        start -= 1
    return start


def untrain_ends(row: Encoded, end: int) -> list[int]:
    """The labels without those of the tokens that end the turns."""
    pairs = zip(row.labels, row.origins, strict=True)
    return [IGNORED if label == end and origin == "template" else label for label, origin in pairs]


def relabel(row: Encoded, labels: Sequence[int]) -> Encoded:
    return Encoded.from_spans(row.text, row.input_ids, list(labels), row.attention_mask, row.origins, row.spans)


def take_part(row: Encoded, start: int, end: int) -> Encoded:
    spans = row.spans[start:end]
    first, last = (spans[0][0], max(border for _, border in spans)) if spans else (0, 0)
    moved = [(a - first, b - first) for a, b in spans]
    columns = [column[start:end] for column in (row.input_ids, row.labels, row.attention_mask, row.origins)]
    return Encoded.from_spans(row.text[first:last], *columns, moved)


def join_parts(parts: Sequence[Encoded]) -> Encoded:
    text, spans, columns = "", [], ([], [], [], [])
    for part in parts:
        spans += [(len(text) + a, len(text) + b) for a, b in part.spans]
        text += part.text
        for column, more in zip(columns, (part.input_ids, part.labels, part.attention_mask, part.origins), strict=True):
            column += more
    return Encoded.from_spans(text, *columns, spans)


def insert_part(row: Encoded, at: int, part: Encoded) -> Encoded:
    return join_parts([take_part(row, 0, at), part, take_part(row, at, len(row))])
