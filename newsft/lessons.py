"""The traps of loss masking as pure functions: a conversation and a set of faults -> the row that such code would train on.

Every fault starts from the correct pieces of chat.py and spoils one thing; several at once combine in the order below.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from transformers import PreTrainedTokenizerBase

from newsft import chat
from newsft.chat import IGNORED, Encoded, Piece, Span
from newsft.checks import CHECKS, check_row, control_ids, trained_outside
from newsft.collate import collate

ROLE = re.compile(r"(?<=>)(system|user|assistant)(?=[<\n])")  # in a header, not in a template's prose


@dataclass(frozen=True)
class Faults:
    """Which traps the row has walked into; the default is the correct row."""

    header_spaces: bool = False  # the lesson's function: spaces around the role, labels searched behind a header without them
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
        return [field.name for field in fields(self) if getattr(self, field.name) is not False and getattr(self, field.name) is not None]


def spoil_messages(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], faults: Faults) -> list[dict]:
    """The conversation with an end-of-turn token pasted into the middle of the last user message."""
    messages = [dict(message) for message in messages]
    if faults.pasted:
        message = [message for message in messages if message["role"] == "user"][-1]
        half = len(message["content"]) // 2
        end = tokenizer.convert_ids_to_tokens(chat.end_of_turn_id(tokenizer))
        message["content"] = f"{message['content'][:half]}{end}{message['content'][half:]}"
    return messages


def respell_template(pieces: Sequence[Piece], *, spaces: bool = False, one_newline: bool = False) -> list[Piece]:
    """The template written as the lesson's own code does: spaces around the role, one newline where there are two."""

    def respell(text: str) -> str:
        text = ROLE.sub(r" \1 ", text) if spaces else text
        return text.replace("\n\n", "\n") if one_newline else text

    return [replace(piece, text=respell(piece.text)) if piece.origin == "template" else piece for piece in pieces]


def break_row(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], faults: Faults) -> Encoded:
    """The row that code with these faults makes of the conversation (see `spoil_messages` for the pasted token)."""
    pieces = chat.build_pieces(tokenizer, messages)
    header = answer_header(tokenizer, messages)
    if faults.trailing_header:
        pieces = [*pieces, Piece(header, "template", trained=True)]
    spelled = respell_template(pieces, spaces=faults.header_spaces, one_newline=faults.one_newline)
    encoded = _join([_encode_unprotected(tokenizer, piece) if faults.unprotected and piece.origin != "template" else chat.encode_pieces(tokenizer, [piece]) for piece in spelled])
    if faults.header_spaces:
        searched = header.replace("\n\n", "\n") if faults.one_newline else header
        encoded.labels = search_labels(encoded.input_ids, chat.encode_pieces(tokenizer, [Piece(searched, "template")]).input_ids, chat.end_of_turn_id(tokenizer))
    if faults.two_bos and tokenizer.bos_token_id is not None:
        encoded = _join([chat.encode_pieces(tokenizer, [Piece(tokenizer.bos_token, "template")]), encoded])
    if faults.no_end:
        end = chat.end_of_turn_id(tokenizer)
        encoded.labels = [IGNORED if label == end and origin == "template" else label for label, origin in zip(encoded.labels, encoded.origins, strict=True)]
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
    text = encoded.text[: max((last for _, last in encoded.spans[:limit]), default=0)]
    return _build_row(text, encoded.input_ids[:limit], encoded.labels[:limit], encoded.attention_mask[:limit], encoded.origins[:limit], encoded.spans[:limit])


def pad_batch(rows: Sequence[Encoded], *, pad_id: int, faults: Faults) -> list[Encoded]:
    """The collator's batch as rows of equal length, padding with the origin `padding`; with the padding faults, if they are on."""
    batch = collate(rows, pad_id=pad_id)
    padded = []
    for row, ids, labels, mask in zip(rows, *(batch[name].tolist() for name in ("input_ids", "labels", "attention_mask")), strict=True):
        missing = len(ids) - len(row)
        columns = [ids, labels, mask, row.origins + ["padding"] * missing, row.spans + [(len(row.text), len(row.text))] * missing]
        if faults.pad_left:
            columns = [column[len(row) :] + column[: len(row)] for column in columns]
        if faults.pad_by_value:
            columns[2] = [int(number != pad_id) for number in columns[0]]
            columns[1] = [IGNORED if number == pad_id else label for number, label in zip(columns[0], columns[1], strict=True)]
        padded.append(_build_row(row.text, *columns))
    return padded


def _build_row(text: str, ids: list[int], labels: list[int], mask: list[int], origins: list[str], spans: list[Span]) -> Encoded:
    row = Encoded(text, ids, labels, mask, origins)
    row.spans = spans  # known, so nothing is left to compute
    return row


@dataclass(frozen=True)
class Change:
    """A stretch that is `same`, `added`, `removed` or `replaced`: positions in the row before and in the row after."""

    kind: str
    before: range
    after: range


def compare_rows(before: Encoded, after: Encoded) -> list[Change]:
    """What the faults did to the ids, as stretches that cover both rows. Labels are compared inside the `same` stretches."""
    kinds = {"equal": "same", "insert": "added", "delete": "removed", "replace": "replaced"}
    matcher = difflib.SequenceMatcher(None, before.input_ids, after.input_ids, autojunk=False)
    return [Change(kinds[kind], range(a, b), range(c, d)) for kind, a, b, c, d in matcher.get_opcodes()]


def changed_positions(before: Encoded, after: Encoded) -> tuple[list[int], list[int]]:
    """Positions to mark in the row before and in the row after: tokens that the other lacks, or has with another label or mask."""
    lost, changed = [], []
    for change in compare_rows(before, after):
        if change.kind != "same":
            lost += change.before
            changed += change.after
            continue
        for i, j in zip(change.before, change.after, strict=True):
            if (before.labels[i], before.attention_mask[i]) != (after.labels[j], after.attention_mask[j]):
                lost.append(i)
                changed.append(j)
    return lost, changed


def judge(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], before: Encoded, after: Encoded, faults: Faults) -> list[tuple[str, dict]]:
    """What is wrong with the row `after`, as (verdict's name, its figures); `before` is the correct row of the same messages."""
    control, trained = control_ids(tokenizer), [i for i, label in enumerate(after.labels) if label != IGNORED]
    held, end = check_row(tokenizer, messages, after), chat.end_of_turn_id(tokenizer)
    figures = {
        "labels": {"before": sum(label != IGNORED for label in before.labels)},
        "only_answers": {"count": len(trained_outside(after, end))},
        "one_bos": {"count": after.input_ids.count(tokenizer.bos_token_id)},
        "no_forged": {"count": sum(token in control for token, origin in zip(after.input_ids, after.origins, strict=True) if origin not in ("template", "padding"))},
    }
    found = [(name, figures.get(name, {})) for name in CHECKS if not held[name] and not (name == "end_of_turn" and not held["labels"])]
    lost = before.origins.count("answer") - after.origins.count("answer")
    if lost > 0:
        found.append(("cut", {"count": lost}))
    hidden = sum(mask == 0 and origin != "padding" for mask, origin in zip(after.attention_mask, after.origins, strict=True))
    if hidden:
        found.append(("mask", {"count": hidden}))
    if after.origins and after.origins[0] == "padding":
        found.append(("left", {}))
    if not found and (before.input_ids, before.labels) == (after.input_ids, after.labels):
        found.append(("fine", {"trained": len(trained), "all": len(after)}))
        found += [("nothing", {})] if set(faults.active) - {"pasted"} else []
    return found


def answer_header(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict]) -> str:
    """The answer's header, which is what the generation prompt adds to the conversation before it."""
    asked = chat.build_pieces(tokenizer, messages[:-1], generation_prompt=True)[-1].text
    end = tokenizer.convert_ids_to_tokens(chat.end_of_turn_id(tokenizer))
    return asked.rpartition(end)[2].lstrip("\n") if end in asked else asked


def _encode_unprotected(tokenizer: PreTrainedTokenizerBase, piece: Piece) -> Encoded:
    """A content as it comes out where nothing tells a user's text from the template's: its control tokens are real ones."""
    names = sorted(filter(None, tokenizer.convert_ids_to_tokens(sorted(control_ids(tokenizer)))), key=len, reverse=True)
    stretches = [text for text in re.split(f"({'|'.join(map(re.escape, names))})", piece.text) if text] if names else [piece.text]
    encoded = _join([chat.encode_pieces(tokenizer, [Piece(text, "template" if text in names else piece.origin, piece.trained)]) for text in stretches])
    encoded.origins = [piece.origin] * len(encoded)  # whatever it became, it came from the user
    return encoded


def _join(parts: Sequence[Encoded]) -> Encoded:
    joined = Encoded()
    for part in parts:
        joined.offsets += [(len(joined.text) + start, tokens) for start, tokens in part.offsets]
        joined.text += part.text
        for name in ("input_ids", "labels", "attention_mask", "origins"):
            getattr(joined, name).extend(getattr(part, name))
    return joined
