"""What other trainers make of a row: each of their behaviours as a pure function, put together as assets/trainers.toml says.

What was observed, with which version, stands there; the functions repeat it on our own row, so that its labels can be shown beside ours.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from newsft.encoding.chat import ChatFormat
from newsft.encoding.pieces import Piece
from newsft.encoding.row import IGNORED, Encoded
from newsft.paths import ASSETS

# Llama 3.1's template writes this before every system prompt; that of 3.2 and ms-swift's have the day of the run in it.
DATES = "Cutting Knowledge Date: December 2023\nToday Date: {today:%d %b %Y}\n\n"
CONSTANT_DAY = date(2024, 7, 26)
TEXT_END = "<|end_of_text|>"  # 128001, which ends a document and no turn
ZERO_PADDING = 0  # mlx-lm's rows are padded with zeros, whatever the tokenizer's pad token is


@dataclass(frozen=True)
class Trainer:
    """An entry of assets/trainers.toml: one way of preparing rows, by one version of one trainer."""

    key: str
    name: str
    version: str
    beside: str  # the versions of other libraries that it was run with
    source: str
    behaviours: tuple[str, ...]  # names of BEHAVIOURS, in the order in which they act
    over: str  # the name of what becomes of a row over the limit, of LIMITS
    limit: int | None  # the default, in tokens; None where there is none
    space: str  # white space around an answer: trimmed, kept, given, or unknown
    pasted: str  # what a control token that somebody pasted becomes: control, text or unknown
    refuses: bool  # an error comes in the place of rows
    texts: dict[str, dict[str, str]]  # per language: variant, what, long, mend


@dataclass(frozen=True)
class Case:
    """What a behaviour may look at beside the row: the conversation, how it is encoded, the day."""

    chat: ChatFormat
    messages: Sequence[dict]
    today: date


# --- what is trained


def train_everything(row: Encoded, case: Case) -> Encoded:
    """Labels are a copy of the ids."""
    return _relabel(row, row.input_ids)


def train_all_but_bos(row: Encoded, case: Case) -> Encoded:
    """Everything is trained except the first token."""
    return _relabel(row, [IGNORED if token == case.chat.tokenizer.bos_token_id else token for token in row.input_ids])


def train_contents(row: Encoded, case: Case) -> Encoded:
    """All contents and the tokens that end their turns are trained, the headers are not."""
    return _relabel(row, [IGNORED if origin == "template" and token != case.chat.end_id else token for token, origin in zip(row.input_ids, row.origins, strict=True)])


def train_header(row: Encoded, case: Case) -> Encoded:
    """The header before every answer is trained with it, its line breaks included."""
    labels = list(row.labels)
    for first in _stretches(row, "answer"):
        start = _header_start(row, case, first)
        labels[start:first] = row.input_ids[start:first]
    return _relabel(row, labels)


def train_last_answer(row: Encoded, case: Case) -> Encoded:
    """Of several answers the last alone is trained."""
    first = max(_stretches(row, "answer"), default=0)
    return _relabel(row, [IGNORED] * first + row.labels[first:])


def train_no_end(row: Encoded, case: Case) -> Encoded:
    """The token that ends an answer's turn is not trained."""
    return _relabel(row, [IGNORED if label == case.chat.end_id and origin == "template" else label for label, origin in zip(row.labels, row.origins, strict=True)])


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
    return _insert(row, 0, case.chat.encode_pieces([Piece(case.chat.tokenizer.bos_token, "template")]))


def add_text_end(row: Encoded, case: Case) -> Encoded:
    """The token that ends a document follows the last turn, without a label; where the tokenizer has none, its EOS."""
    text = TEXT_END if TEXT_END in case.chat.tokenizer.get_added_vocab() else case.chat.tokenizer.eos_token
    return _insert(row, len(row), case.chat.encode_pieces([Piece(text, "template")]))


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
    block = _part(alone, int(alone.input_ids[0] == case.chat.tokenizer.bos_token_id), last)
    for first in reversed(_stretches(row, "user")):
        row = _insert(row, _header_start(row, case, first), block)
    return row


def split_template(row: Encoded, case: Case) -> Encoded:
    """The template's own control tokens are split as if somebody had pasted them; BOS, which is no text here, stays."""
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
        owners = [next(piece for piece, end in zip(stretch, ends, strict=True) if start < end) for start, _ in plain.spans]
        trained = any(piece.trained for piece in stretch)
        labels = list(plain.input_ids) if trained else plain.labels
        parts.append(Encoded.from_spans(text, plain.input_ids, labels, plain.attention_mask, [owner.origin for owner in owners], plain.spans))
    return _join(parts)


def keep_space(row: Encoded, case: Case) -> Encoded:
    """White space around an answer stays, where the template would strip it."""
    answers = iter([message["content"] for message in case.messages if message["role"] == "assistant"])
    return case.chat.encode_pieces([Piece(next(answers), piece.origin, piece.trained) if piece.origin == "answer" else piece for piece in case.chat.build_pieces(case.messages)])


# --- what becomes of a row over the limit


def keep_whole(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """There is no limit."""
    return row


def drop(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """The row is left out of the training."""
    return None


def cut_end(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """The first `limit` tokens stay, with or without a label among them."""
    return _part(row, 0, limit)


def cut_end_or_drop(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """The first `limit` tokens stay; a row that has no label left is taken out, without a message."""
    cut = _part(row, 0, limit)
    return cut if any(label != IGNORED for label in cut.labels) else None


def cut_to_text_end(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """The first `limit` tokens stay, the last of them replaced by the token that ends a document."""
    return add_text_end(_part(row, 0, limit - 1), case)


def cut_prompt(row: Encoded, case: Case, limit: int) -> Encoded | None:
    """The end of the prompt goes first, and with it the header before the answer; the answer only where it takes half the limit.

    LLaMA-Factory's rule (`infer_seqlen`), turn by turn with what the turns before have left.
    """
    borders, parts, left = [0], [], limit
    for first in _stretches(row, "answer"):
        borders += [first, next((i for i in range(first, len(row)) if row.labels[i] == IGNORED), len(row))]
    for start, first, last in zip(borders[0::2], borders[1::2], borders[2::2], strict=False):
        source, target = first - start, last - first
        if left <= 0:
            break
        most = left if target * 2 < left else left - source if source * 2 < left else int(left * target / (source + target))
        target = min(most, target)
        source = min(max(left - target, 0), source)
        parts += [_part(row, start, start + source), _part(row, first, first + target)]
        left -= source + target
    return _join(parts)


Behaviour = Callable[[Encoded, Case], Encoded]
BEHAVIOURS: dict[str, Behaviour] = {  # by the names that they have in assets/trainers.toml
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
LIMITS: dict[str, Callable[[Encoded, Case, int], Encoded | None]] = {
    "keep_whole": keep_whole,
    "drop": drop,
    "cut_end": cut_end,
    "cut_end_or_drop": cut_end_or_drop,
    "cut_to_text_end": cut_to_text_end,
    "cut_prompt": cut_prompt,
}


@cache
def load_trainers() -> dict[str, Trainer]:
    """key -> the entries of assets/trainers.toml, in their order."""
    entries = tomllib.loads((ASSETS / "trainers.toml").read_text(encoding="utf-8"))["trainer"]
    return {entry["key"]: _read_trainer(entry) for entry in entries}


def prepare_row(trainer: Trainer, chat: ChatFormat, messages: Sequence[dict], *, today: date, limit: int | None = None) -> Encoded | None:
    """The row that this trainer would train on; None where it refuses or leaves it out. `limit` takes the place of the default one."""
    if trainer.refuses:
        return None
    case = Case(chat, messages, today)
    row = case.chat.encode_pieces(case.chat.build_pieces(messages))
    for name in trainer.behaviours:
        row = BEHAVIOURS[name](row, case)
    most = trainer.limit if limit is None else limit
    return row if most is None or len(row) <= most else LIMITS[trainer.over](row, case, most)


def _read_trainer(entry: dict) -> Trainer:
    texts = {language: entry[language] for language in ("ko", "en")}
    rest = {name: entry[name] for name in ("key", "name", "version", "beside", "source", "over", "space", "pasted")}
    return Trainer(**rest, behaviours=tuple(entry["behaviours"]), limit=entry.get("limit"), refuses=entry.get("refuses", False), texts=texts)


def _stretches(row: Encoded, origin: str) -> list[int]:
    """The first positions of the stretches of one origin."""
    return [i for i, found in enumerate(row.origins) if found == origin and (i == 0 or row.origins[i - 1] != origin)]


def _header_start(row: Encoded, case: Case, first: int) -> int:
    """Where the header begins that stands before the content at `first`: behind an end of turn, a content or BOS."""
    start = first
    while start > 0 and row.origins[start - 1] == "template" and row.input_ids[start - 1] not in (case.chat.end_id, case.chat.tokenizer.bos_token_id):
        start -= 1
    return start


def _slots(case: Case) -> list[list[Piece]]:
    """The pieces as LLaMA-Factory encodes them: the system's turn, the user's with the header that follows, the answer with its end."""
    end, stretches = case.chat.end_token, [[]]
    role = "template"
    for piece in case.chat.build_pieces(case.messages):
        if piece.origin == "template" and not piece.trained and role == "system" and end in piece.text:
            head, _, tail = piece.text.partition(end)
            stretches[-1].append(Piece(head + end, "template"))
            stretches.append([Piece(tail, "template")])
        elif piece.origin == "answer" or (piece.origin == "template" and not piece.trained and stretches[-1] and stretches[-1][-1].trained):
            stretches.append([piece])
        else:
            stretches[-1].append(piece)
        role = piece.origin if piece.origin != "template" else role
    return [[piece for piece in stretch if piece.text] for stretch in stretches if any(piece.text for piece in stretch)]


def _date_row(case: Case, day: date) -> Encoded:
    """The row of the conversation with the dates alone in the place of its system prompt, whether or not it has one."""
    messages = [{"role": "system", "content": "."}, *[message for message in case.messages if message["role"] != "system"]]
    return case.chat.encode_pieces([Piece(DATES.format(today=day), "template") if piece.origin == "system" else piece for piece in case.chat.build_pieces(messages)])


def _add_dates(row: Encoded, case: Case, day: date) -> Encoded:
    places = _stretches(row, "system")
    return _insert(row, places[0], case.chat.encode_pieces([Piece(DATES.format(today=day), "template")])) if places else _date_row(case, day)


def _relabel(row: Encoded, labels: Sequence[int]) -> Encoded:
    return Encoded.from_spans(row.text, row.input_ids, list(labels), row.attention_mask, row.origins, row.spans)


def _part(row: Encoded, start: int, end: int) -> Encoded:
    spans = row.spans[start:end]
    first, last = (spans[0][0], max(border for _, border in spans)) if spans else (0, 0)
    moved = [(a - first, b - first) for a, b in spans]
    return Encoded.from_spans(row.text[first:last], row.input_ids[start:end], row.labels[start:end], row.attention_mask[start:end], row.origins[start:end], moved)


def _join(parts: Sequence[Encoded]) -> Encoded:
    text, spans, columns = "", [], ([], [], [], [])
    for part in parts:
        spans += [(len(text) + a, len(text) + b) for a, b in part.spans]
        text += part.text
        for column, more in zip(columns, (part.input_ids, part.labels, part.attention_mask, part.origins), strict=True):
            column += more
    return Encoded.from_spans(text, *columns, spans)


def _insert(row: Encoded, at: int, part: Encoded) -> Encoded:
    return _join([_part(row, 0, at), part, _part(row, at, len(row))])
