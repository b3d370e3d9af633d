"""Encoded -> tokens that a person can read: exact text, bytes, unbroken syllables, and why each label is what it is."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import regex

from newsft.encoding.chat import ChatFormat
from newsft.encoding.checks import check_row, trained_outside
from newsft.encoding.row import IGNORED, Encoded
from newsft.encoding.token_bytes import token_bytes


@dataclass(frozen=True)
class Token:
    """One token of a row. Tokens that share a written character have the same `group`; its first token bears the text."""

    position: int
    id: int
    label: int
    mask: int
    origin: str
    text: str  # the group's text at its first token, empty at the others: joined, the decoded row
    bytes: bytes
    group: int
    part: int  # 1 for the group's first token
    parts: int
    control: bool
    reason: str  # why the label is what it is, as a name that the texts explain


@dataclass(frozen=True)
class ReadRow:
    """All that the token tab shows of a row."""

    tokens: list[Token]
    counts: dict[str, int]  # of count_tokens
    checks: dict[str, bool]  # of check_row
    trained_text: str  # what the labels say, decoded


def read_row(chat: ChatFormat, messages: Sequence[dict], encoded: Encoded) -> ReadRow:
    """A training row and the conversation that it was made from, read for a person."""
    return ReadRow(
        tokens=read_tokens(chat, encoded),
        counts=count_tokens(encoded),
        checks=check_row(chat, messages, encoded),
        trained_text=decode_labels(chat, encoded),
    )


def read_tokens(chat: ChatFormat, encoded: Encoded) -> list[Token]:
    """Every token of the row. Bytes that form one character or one grapheme (a joined emoji) are one group."""
    control, outside = chat.control_ids, set(trained_outside(encoded, chat.end_id))
    pieces = _bytes_of(chat, encoded)
    tokens: list[Token] = []
    for number, positions in enumerate(_groups(pieces, encoded, control)):
        text = b"".join(pieces[i] for i in positions).decode("utf-8", errors="replace")
        for part, i in enumerate(positions, 1):
            tokens.append(
                Token(
                    position=i,
                    id=encoded.input_ids[i],
                    label=encoded.labels[i],
                    mask=encoded.attention_mask[i],
                    origin=encoded.origins[i],
                    text=text if part == 1 else "",
                    bytes=pieces[i],
                    group=number,
                    part=part,
                    parts=len(positions),
                    control=encoded.input_ids[i] in control,
                    reason=_reason(encoded, i, is_control=encoded.input_ids[i] in control, outside=i in outside),
                )
            )
    return tokens


def count_tokens(encoded: Encoded) -> dict[str, int]:
    """Totals that add up: tokens per origin, and of all tokens the trained, the ignored, the attended and the padding."""
    trained = sum(label != IGNORED for label in encoded.labels)
    attended = sum(encoded.attention_mask)
    origins = Counter(encoded.origins)
    return {
        **{origin: origins[origin] for origin in ("template", "system", "user", "answer")},
        "all": len(encoded),
        "trained": trained,
        "ignored": len(encoded) - trained,
        "attended": attended,
        "padded": len(encoded) - attended,
    }


def decode_labels(chat: ChatFormat, encoded: Encoded) -> str:
    """The text of the trained tokens alone; empty where a mistake has left nothing to train."""
    return chat.tokenizer.decode(
        [label for label in encoded.labels if label != IGNORED], clean_up_tokenization_spaces=False
    )


def _reason(encoded: Encoded, i: int, *, is_control: bool, outside: bool) -> str:
    origin = encoded.origins[i]
    if origin == "padding":
        return "padding" if encoded.labels[i] == IGNORED else "trained_padding"
    if encoded.labels[i] == IGNORED:
        return (
            ("control" if is_control else "template")
            if origin == "template"
            else "lost_answer"
            if origin == "answer"
            else origin
        )
    if outside:
        return "trained_template" if origin == "template" else "trained_prompt"
    return "answer" if origin == "answer" else "end_of_turn"


def _groups(pieces: list[bytes], encoded: Encoded, control: frozenset[int]) -> Iterator[list[int]]:
    """Positions that belong together. A control token and one of the padding stand alone, and no group crosses from one origin to another."""
    start = 0
    while start < len(pieces):
        end = start + 1
        if encoded.input_ids[start] not in control and encoded.origins[start] != "padding":
            while (
                end < len(pieces)
                and encoded.origins[end] == encoded.origins[start]
                and encoded.input_ids[end] not in control
            ):
                end += 1
        yield from _split_stretch(pieces, start, end)
        start = end


def _split_stretch(pieces: list[bytes], start: int, end: int) -> Iterator[list[int]]:
    text = b"".join(pieces[start:end]).decode(
        "utf-8", errors="surrogateescape"
    )  # a row that was cut may end in the middle of a character
    borders, at = set(), 0
    for stretch in filter(None, regex.split(r"([\udc80-\udcff]+)", text)):
        for grapheme in [stretch] if 0xDC80 <= ord(stretch[0]) <= 0xDCFF else regex.findall(r"\X", stretch):
            at += len(grapheme.encode("utf-8", errors="surrogateescape"))
            borders.add(at)
    group, at = [], 0
    for i in range(start, end):
        group.append(i)
        at += len(pieces[i])
        if at in borders:
            yield group
            group = []
    if group:
        yield group


def _bytes_of(chat: ChatFormat, encoded: Encoded) -> list[bytes]:
    """Every token's bytes: those that its name tells, else those of its characters, each of which is one token's alone.

    The tokens of a character's bytes share its place; so does the space that SentencePiece puts before a text with the text's first character.
    """
    found, ends = [], [first for first, _ in encoded.spans[1:]] + [len(encoded.text)]
    for number, (first, last), following in zip(encoded.input_ids, encoded.spans, ends, strict=True):
        own = token_bytes(chat, number)
        found.append(encoded.text[first : min(last, max(following, first))].encode("utf-8") if own is None else own)
    return found
