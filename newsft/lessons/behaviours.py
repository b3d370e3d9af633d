"""What other trainers do otherwise than we, each as a pure function: which tokens they train, and which ids they make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from newsft.encoding.chat import ChatFormat
from newsft.encoding.pieces import Piece
from newsft.encoding.row import IGNORED, Encoded
from newsft.lessons.row_parts import (
    find_header,
    find_stretches,
    insert_part,
    join_parts,
    relabel,
    take_part,
    untrain_ends,
)

# Llama 3.1's template writes this before every system prompt; that of 3.2 and ms-swift's have the day of the run in it.
DATES = "Cutting Knowledge Date: December 2023\nToday Date: {today:%d %b %Y}\n\n"
CONSTANT_DAY = date(2024, 7, 26)
TEXT_END = "<|end_of_text|>"  # 128001, which ends a document and no turn
ZERO_PADDING = 0  # mlx-lm's rows are padded with zeros, whatever the tokenizer's pad token is


@dataclass(frozen=True)
class Case:
    """What a behaviour may look at beside the row: the conversation, how it is encoded, the day."""

    chat: ChatFormat
    messages: Sequence[dict]
    today: date


# --- what is trained


def train_everything(row: Encoded, case: Case) -> Encoded:
    """Labels are a copy of the ids."""
    return relabel(row, row.input_ids)


def train_all_but_bos(row: Encoded, case: Case) -> Encoded:
    """Everything is trained except the first token."""
    return relabel(row, [IGNORED if token == case.chat.tokenizer.bos_token_id else token for token in row.input_ids])


def train_contents(row: Encoded, case: Case) -> Encoded:
    """All contents and the tokens that end their turns are trained, the headers are not."""
    end, pairs = case.chat.end_id, zip(row.input_ids, row.origins, strict=True)
    return relabel(row, [IGNORED if origin == "template" and token != end else token for token, origin in pairs])


def train_header(row: Encoded, case: Case) -> Encoded:
    """The header before every answer is trained with it, its line breaks included."""
    labels = list(row.labels)
    for first in find_stretches(row, "answer"):
        start = find_header(row, case.chat, first)
        labels[start:first] = row.input_ids[start:first]
    return relabel(row, labels)


def train_last_answer(row: Encoded, case: Case) -> Encoded:
    """Of several answers the last alone is trained."""
    first = max(find_stretches(row, "answer"), default=0)
    return relabel(row, [IGNORED] * first + row.labels[first:])


def train_no_end(row: Encoded, case: Case) -> Encoded:
    """The token that ends an answer's turn is not trained."""
    return relabel(row, untrain_ends(row, case.chat.end_id))


def train_padding(row: Encoded, case: Case) -> Encoded:
    """The first token of the padding is trained. A row that fills its batch has none, so that this is the case of all others."""
    return Encoded.from_spans(
        row.text,
        [*row.input_ids, ZERO_PADDING],
        [*row.labels, ZERO_PADDING],
        [*row.attention_mask, 1],  # mlx-lm has no attention mask
        [*row.origins, "padding"],
        [*row.spans, (len(row.text), len(row.text))],
    )


# --- which ids there are


def add_bos(row: Encoded, case: Case) -> Encoded:
    """The rendered text begins with BOS, and the tokenizer puts another one before it, as that of Llama 3 on the hub does."""
    if case.chat.tokenizer.bos_token_id is None:
        return row
    return insert_part(row, 0, case.chat.encode_pieces([Piece(case.chat.tokenizer.bos_token, "template")]))


def add_text_end(row: Encoded, case: Case) -> Encoded:
    """The token that ends a document follows the last turn, without a label; where the tokenizer has none, its EOS."""
    text = TEXT_END if TEXT_END in case.chat.tokenizer.get_added_vocab() else case.chat.tokenizer.eos_token
    return insert_part(row, len(row), case.chat.encode_pieces([Piece(text, "template")]))


def add_dates(row: Encoded, case: Case) -> Encoded:
    """Llama 3.1's template writes two dates before the system prompt, always the same ones."""
    return _add_dates(row, case, CONSTANT_DAY)


def add_todays_date(row: Encoded, case: Case) -> Encoded:
    """The trainer's own template has the day of the run in it."""
    return _add_dates(row, case, case.today)


def repeat_dates(row: Encoded, case: Case) -> Encoded:
    """The block of dates, which the template writes for a user message alone, comes before every user's turn."""
    alone = _date_row(case, CONSTANT_DAY)
    last = alone.input_ids.index(case.chat.end_id) + 1
    block = take_part(alone, int(alone.input_ids[0] == case.chat.tokenizer.bos_token_id), last)
    for first in reversed(find_stretches(row, "user")):
        row = insert_part(row, find_header(row, case.chat, first), block)
    return row


def split_template(row: Encoded, case: Case) -> Encoded:
    """The template's own control tokens are split as if somebody had pasted them; BOS, which is no text here, stays, and so does white space around an answer."""
    parts, bos = [], case.chat.tokenizer.bos_token or ""
    if bos and row.text.startswith(bos):
        parts.append(case.chat.encode_pieces([Piece(bos, "template")]))
    for stretch in _slots(case):
        text = "".join(piece.text for piece in stretch)
        text, lost = (text.removeprefix(bos), len(bos)) if bos and text.startswith(bos) else (text, 0)
        plain = case.chat.encode_pieces([Piece(text, "user")])
        ends, total = [], -lost
        for piece in stretch:
            total += len(piece.text)
            ends.append(total)
        owners = [
            next(piece for piece, end in zip(stretch, ends, strict=True) if start < end) for start, _ in plain.spans
        ]
        trained = any(piece.trained for piece in stretch)
        labels = list(plain.input_ids) if trained else plain.labels
        origins = [owner.origin for owner in owners]
        parts.append(Encoded.from_spans(text, plain.input_ids, labels, plain.attention_mask, origins, plain.spans))
    return join_parts(parts)


def keep_space(row: Encoded, case: Case) -> Encoded:
    """White space around an answer stays, where the template would strip it."""
    return case.chat.encode_pieces(_spaced_pieces(case))


def _spaced_pieces(case: Case) -> list[Piece]:
    """The conversation's pieces with the answers as they came."""
    answers = iter([message["content"] for message in case.messages if message["role"] == "assistant"])
    pieces = case.chat.build_pieces(case.messages)
    return [replace(piece, text=next(answers)) if piece.origin == "answer" else piece for piece in pieces]


def _slots(case: Case) -> list[list[Piece]]:
    """The pieces as LLaMA-Factory encodes them: the system's turn, the user's with the header that follows, the answer with its end."""
    end, stretches = case.chat.end_token, [[]]
    role = "template"
    for piece in _spaced_pieces(case):
        if piece.origin == "template" and not piece.trained and role == "system" and end in piece.text:
            head, _, tail = piece.text.partition(end)
            stretches[-1].append(Piece(head + end, "template"))
            stretches.append([Piece(tail, "template")])
        elif piece.origin == "answer" or (
            piece.origin == "template" and not piece.trained and stretches[-1] and stretches[-1][-1].trained
        ):
            stretches.append([piece])
        else:
            stretches[-1].append(piece)
        role = piece.origin if piece.origin != "template" else role
    return [[piece for piece in stretch if piece.text] for stretch in stretches if any(piece.text for piece in stretch)]


def _date_row(case: Case, day: date) -> Encoded:
    """The row of the conversation with the dates alone in the place of its system prompt, whether or not it has one."""
    others = [message for message in case.messages if message["role"] != "system"]
    pieces = case.chat.build_pieces([{"role": "system", "content": "."}, *others])
    return case.chat.encode_pieces([_write_dates(day) if piece.origin == "system" else piece for piece in pieces])


def _add_dates(row: Encoded, case: Case, day: date) -> Encoded:
    places = find_stretches(row, "system")
    return insert_part(row, places[0], case.chat.encode_pieces([_write_dates(day)])) if places else _date_row(case, day)


def _write_dates(day: date) -> Piece:
    return Piece(DATES.format(today=day), "template")


BEHAVIOURS: dict[str, Callable[[Encoded, Case], Encoded]] = {  # by the names that they have in assets/trainers.toml
    "train_everything": train_everything,
    "train_all_but_bos": train_all_but_bos,
    "train_contents": train_contents,
    "train_header": train_header,
    "train_last_answer": train_last_answer,
    "train_no_end": train_no_end,
    "train_padding": train_padding,
    "add_bos": add_bos,
    "add_text_end": add_text_end,
    "add_dates": add_dates,
    "add_todays_date": add_todays_date,
    "repeat_dates": repeat_dates,
    "split_template": split_template,
    "keep_space": keep_space,
}
