"""The traps of loss masking as pure functions: a conversation and a set of faults -> the row that such code would train on.

Every fault starts from the correct pieces of `encoding/chat.py` and spoils one thing; several at once combine in the order below.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from newsft.encoding.chat import ChatFormat
from newsft.encoding.pieces import Piece
from newsft.encoding.row import IGNORED, Encoded
from newsft.encoding.template import answer_header, respell_template
from newsft.lessons.row_parts import take_part, untrain_ends


@dataclass(frozen=True)
class Faults:
    """Which traps the row has walked into; the default is the correct row."""

    header_spaces: bool = (
        False  # the lesson's function: spaces around the role, labels searched behind a header without them
    )
    one_newline: bool = False  # one newline after a header, where the template has two
    trailing_header: bool = False  # the header that VARCO's template appends is kept, and trained on
    pasted: bool = False  # the news holds an end-of-turn token as text
    unprotected: bool = False  # contents are encoded with control tokens on
    two_bos: bool = False  # the rendered text begins with BOS, and the tokenizer call adds one
    no_end: bool = False  # the end of turn is not trained
    unmasked: bool = False  # labels are a copy of the ids
    cut: int | None = None  # tokens that are kept
    pad_by_value: bool = False  # whatever equals the pad token is masked
    pad_left: bool = False  # padding on the left

    @property
    def active(self) -> list[str]:
        """The names of the faults that are on, in the order in which they act."""
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return [name for name, value in held.items() if value is not False and value is not None]


def spoil_messages(chat: ChatFormat, messages: Sequence[dict], faults: Faults) -> list[dict]:
    """The conversation with an end-of-turn token pasted into the middle of the last user message."""
    messages = [dict(message) for message in messages]
    if faults.pasted:
        message = [message for message in messages if message["role"] == "user"][-1]
        half = len(message["content"]) // 2
        message["content"] = f"{message['content'][:half]}{chat.end_token}{message['content'][half:]}"
    return messages


def break_row(chat: ChatFormat, messages: Sequence[dict], faults: Faults) -> Encoded:
    """The row that code with these faults makes of the conversation (see `spoil_messages` for the pasted token)."""
    pieces = chat.build_pieces(messages)
    header = answer_header(chat, messages)
    if faults.trailing_header:
        pieces = [*pieces, Piece(header, "template", trained=True)]
    spelled = respell_template(pieces, spaces=faults.header_spaces, one_newline=faults.one_newline)
    if faults.two_bos and chat.tokenizer.bos_token_id is not None:
        spelled = [Piece(chat.tokenizer.bos_token, "template"), *spelled]
    encoded = _encode_unprotected(chat, spelled) if faults.unprotected else chat.encode_pieces(spelled)
    if faults.header_spaces:
        searched = header.replace("\n\n", "\n") if faults.one_newline else header
        encoded.labels = search_labels(
            encoded.input_ids, chat.encode_pieces([Piece(searched, "template")]).input_ids, chat.end_id
        )
    if faults.no_end:
        encoded.labels = untrain_ends(encoded, chat.end_id)
    if faults.unmasked:
        encoded.labels = list(encoded.input_ids)
    return encoded if faults.cut is None else cut_row(encoded, faults.cut)


def search_labels(input_ids: Sequence[int], header: Sequence[int], end: int) -> list[int]:
    """Labels as the lesson's collate function looks for them: from behind the first `header` to the next `end`, both by id.

    Where the header is not found, as the lesson spells it, nothing is labelled and nothing is said.
    """
    labels = [IGNORED] * len(input_ids)
    for start in range(len(input_ids) - len(header) + 1):
        if list(input_ids[start : start + len(header)]) == list(header):
            first = start + len(header)
            last = next((i for i in range(first, len(input_ids)) if input_ids[i] == end), len(input_ids) - 1)
            labels[first : last + 1] = input_ids[first : last + 1]
            break
    return labels


def cut_row(encoded: Encoded, limit: int) -> Encoded:
    """The first `limit` tokens, as a trainer's `max_length` leaves them: what is lost is the answer."""
    return take_part(encoded, 0, limit)


def spoil_padding(row: Encoded, faults: Faults, *, pad_id: int) -> Encoded:
    """A row of a padded batch (see `collate.pad_batch`) with the padding faults, if they are on."""
    own = len(row) - row.origins.count("padding")
    columns = [row.input_ids, row.labels, row.attention_mask, row.origins, row.spans]
    if faults.pad_left:
        columns = [column[own:] + column[:own] for column in columns]
    if faults.pad_by_value:
        columns[2] = [int(number != pad_id) for number in columns[0]]
        columns[1] = [
            IGNORED if number == pad_id else label for number, label in zip(columns[0], columns[1], strict=True)
        ]
    return Encoded.from_spans(row.text, *columns)


def _encode_unprotected(chat: ChatFormat, pieces: Sequence[Piece]) -> Encoded:
    """The pieces where nothing tells a user's text from the template's: what is spelled like a control token is one, whosever text it is in."""
    return chat.encode_pieces([replace(piece, unprotected=True) for piece in pieces])


# What can be trained on purpose: padding is of a batch, not of a row, and a cut needs a number. Several may be named at once.
TRAINABLE = (
    "header_spaces",
    "one_newline",
    "trailing_header",
    "pasted",
    "unprotected",
    "two_bos",
    "no_end",
    "unmasked",
)


def break_training_row(chat: ChatFormat, messages: Sequence[dict], *, names: Sequence[str]) -> Encoded:
    """The row that a training with the faults `names` (of TRAINABLE) sees, the pasted token included."""
    faults = Faults(**dict.fromkeys(names, True))
    return break_row(chat, spoil_messages(chat, messages, faults), faults)
