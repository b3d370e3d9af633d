"""Messages -> pieces -> token ids with labels and origins: the one way of encoding, for training, inference and display.

A conversation is rendered with the tokenizer's own chat template, with a private marker in the place of each content, and
cut at the markers. The template's text and the messages' text are then encoded apart, so that nothing has to be searched
for afterwards, and what a user pastes can never become a control token.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from jinja2 import TemplateError
from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from newsft.errors import UserError, list_rows

IGNORED = -100  # the label that the loss leaves out (torch.nn.CrossEntropyLoss, ignore_index)
ORIGINS = {"system": "system", "user": "user", "assistant": "answer"}
ELLIPSIS = " … "  # stands where the middle of a long news text was left out
MARGIN = "\u2003"  # white space that no template writes itself: Llama 2's has ordinary spaces around contents that it strips

# Fast tokenizers are not thread-safe when calls differ in their options: 2-3 % of the ids came out wrong, silently.
_TOKENIZER_LOCK = threading.Lock()


Span = tuple[int, int]  # first character and the one after the last


@dataclass(frozen=True)
class Piece:
    """A stretch of the rendered conversation from one source; `trained` says whether its tokens are labels."""

    text: str
    origin: str  # template, system, user or answer
    trained: bool = False


@dataclass
class Encoded:
    """One conversation as tokens. The four lists have the same length; `offsets` has each piece's start in `text` and its tokens as the tokenizer gave them."""

    text: str = ""
    input_ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    attention_mask: list[int] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    offsets: list[tuple[int, Encoding]] = field(default_factory=list, compare=False)

    @classmethod
    def from_spans(cls, text: str, input_ids: list[int], labels: list[int], attention_mask: list[int], origins: list[str], spans: list[Span]) -> "Encoded":
        """A row whose tokens' positions are known, so that nothing is left to compute."""
        row = cls(text, input_ids, labels, attention_mask, origins)
        row.spans = spans
        return row

    @cached_property
    def spans(self) -> list[Span]:
        """Per token its characters' positions in `text`; computed when asked for, as the training never asks."""
        return [(start + first, start + last) for start, piece in self.offsets for first, last in piece.offsets]

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True)
class _Skeleton:
    """A template rendered around markers: the pieces before the first content and after each."""

    pieces: tuple[tuple[Piece, ...], ...]
    trims: tuple[bool, ...]  # whether the template strips white space around this content


def _marker(number: int) -> str:
    return f"\ue000{number}\ue001"


@lru_cache(maxsize=64)
def _skeleton(tokenizer: PreTrainedTokenizerBase, template: str, roles: tuple[str, ...], generation_prompt: bool) -> _Skeleton:
    messages = [{"role": role, "content": f"{MARGIN}{_marker(number)}{MARGIN}"} for number, role in enumerate(roles)]
    try:
        rendered = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, add_generation_prompt=generation_prompt)
    except TemplateError as error:  # Gemma's refuses a system prompt, Mistral's two user messages in a row
        raise UserError(f"The chat template refuses the messages {', '.join(roles)}: {error}. Change them or use another instruct model.") from error
    texts, trims = [], []
    for number in range(len(roles)):
        before, marker, rendered = rendered.partition(_marker(number))
        if not marker:
            raise UserError(f"The chat template leaves out message {number + 1} ({roles[number]}); use a template that inserts every message as it is.")
        # White space around the marker is ours; where it is gone, the template strips the contents.
        verbatim = before.endswith(MARGIN) and rendered.startswith(MARGIN)
        texts.append(before[:-1] if verbatim else before)
        rendered = rendered[1:] if verbatim else rendered
        trims.append(not verbatim)
    following = [
        _following_pieces(tokenizer, text, role, last=number == len(roles) and not generation_prompt) for number, (role, text) in enumerate(zip(roles, [*texts[1:], rendered], strict=True), 1)
    ]
    return _Skeleton(((Piece(texts[0], "template"),), *following), tuple(trims))


def _following_pieces(tokenizer: PreTrainedTokenizerBase, text: str, role: str, *, last: bool) -> tuple[Piece, ...]:
    if role != "assistant":
        return (Piece(text, "template"),)
    turn_end, rest = _split_turn_end(tokenizer, text, last=last)
    return Piece(turn_end, "template", trained=True), Piece(rest, "template")


def _control_tokens(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    return tuple(token.content for token in tokenizer.added_tokens_decoder.values() if token.special)


def _split_turn_end(tokenizer: PreTrainedTokenizerBase, text: str, *, last: bool) -> tuple[str, str]:
    """What follows an answer, as (its end-of-turn token, the rest).

    After the last answer the rest keeps white space only: some templates append a generation header there even where
    none was asked for (transformers#32252); trained on, it would teach the model to open another turn.
    """
    places = [(text.find(token), -len(token), token) for token in _control_tokens(tokenizer) if token in text]
    if not places or text[: min(places)[0]].strip():
        raise UserError("The chat template writes no end-of-turn token after an answer; the model could never learn to stop.")
    start, _, token = min(places)
    end = start + len(token)
    rest = text[end:]
    if last:
        rest = rest[: len(rest) - len(rest.lstrip())]
    return text[:end], rest


def build_pieces(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], *, generation_prompt: bool = False) -> list[Piece]:
    """The conversation as pieces; joined, they are the template's own text (less an uninvited header after the last answer).

    `messages` are dicts with `role` and `content`. Raises UserError where the tokenizer has no chat template or the
    template drops a message.
    """
    if not messages:
        raise UserError("There is no message to encode; give at least a user message.")
    template = tokenizer.get_chat_template() if tokenizer.chat_template else None
    if template is None:
        raise UserError("The tokenizer has no chat template; use an instruct model, or set `chat_template` in its tokenizer_config.json.")
    roles = tuple(message["role"] for message in messages)
    skeleton = _skeleton(tokenizer, template, roles, generation_prompt)
    pieces = [*skeleton.pieces[0]]
    for role, message, trim, following in zip(roles, messages, skeleton.trims, skeleton.pieces[1:], strict=True):
        content = message["content"].strip() if trim else message["content"]
        pieces += [Piece(content, ORIGINS.get(role, "user"), trained=role == "assistant"), *following]
    return [piece for piece in pieces if piece.text]


def encode_pieces(tokenizer: PreTrainedTokenizerBase, pieces: Sequence[Piece]) -> Encoded:
    """Each piece encoded by itself: control tokens exist in template pieces only, contents stay ordinary text."""
    return _encode_all(tokenizer, [pieces])[0]


def _encode_all(tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Sequence[Piece]]) -> list[Encoded]:
    """Many conversations' pieces in two calls of the tokenizer; texts that recur, as template and system prompt do, are encoded once."""
    texts = dict.fromkeys((piece.text, piece.origin == "template") for pieces in conversations for piece in pieces)  # a set that keeps the order
    found: dict[tuple[str, bool], Encoding] = {}
    for template in (True, False):
        wanted = [text for text, is_template in texts if is_template == template]
        found.update(zip([(text, template) for text in wanted], _encode_texts(tokenizer, wanted, control_tokens=template), strict=True))
    return [_join_pieces(pieces, found) for pieces in conversations]


def _encode_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, control_tokens: bool) -> list[Encoding]:
    """As `tokenizer(texts, add_special_tokens=False, split_special_tokens=not control_tokens)`, which takes nearly twice the time, for lists that nobody reads."""
    backend = tokenizer.backend_tokenizer
    with _TOKENIZER_LOCK:
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = not control_tokens
        return backend.encode_batch(list(texts), add_special_tokens=False)


def _join_pieces(pieces: Sequence[Piece], found: dict[tuple[str, bool], Encoding]) -> Encoded:
    encoded, start = Encoded(text="".join(piece.text for piece in pieces)), 0
    for piece in pieces:
        tokens = found[piece.text, piece.origin == "template"]
        ids = tokens.ids
        encoded.input_ids += ids
        encoded.labels += ids if piece.trained else [IGNORED] * len(ids)
        encoded.origins += [piece.origin] * len(ids)
        encoded.offsets.append((start, tokens))
        start += len(piece.text)
    encoded.attention_mask = [1] * len(encoded.input_ids)
    return encoded


def encode_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict]) -> Encoded:
    """What the model is given to answer: the conversation up to and with the answer's header."""
    return encode_pieces(tokenizer, build_pieces(tokenizer, messages, generation_prompt=True))


def end_of_turn_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the token that the template puts after an answer, which is the last label of every row."""
    pieces = build_pieces(tokenizer, [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}])
    return [label for label in encode_pieces(tokenizer, pieces).labels if label != IGNORED][-1]


def encode_row(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], *, max_length: int | None = None, name: str = "row") -> Encoded:
    """A training row: labels are the answers and the tokens that end them, everything else is -100.

    A row of more than `max_length` tokens loses the middle of its news, never its answer or template. Raises UserError
    naming the row where nothing of the news would be left.
    """
    return _fit(tokenizer, messages, encode_pieces(tokenizer, build_pieces(tokenizer, messages)), max_length=max_length, name=name)


def encode_rows(tokenizer: PreTrainedTokenizerBase, conversations: Sequence[Sequence[dict]], *, max_length: int | None = None, first: int = 0) -> list[Encoded]:
    """Many rows as `encode_row` encodes them, tokenized together. One error names all rows that do not fit, the first row having the number `first`."""
    whole = _encode_all(tokenizer, [build_pieces(tokenizer, messages) for messages in conversations])
    encoded, failures = [], {}
    for number, (messages, one) in enumerate(zip(conversations, whole, strict=True), first):
        try:
            encoded.append(_fit(tokenizer, messages, one, max_length=max_length, name=f"row {number}"))
        except UserError as error:
            failures[number] = error
    if failures:
        raise UserError(f"{len(failures)} of {len(conversations)} rows do not fit (rows {list_rows(list(failures))}). The first: {next(iter(failures.values()))}")
    return encoded


def _fit(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], encoded: Encoded, *, max_length: int | None, name: str) -> Encoded:
    if max_length is None or len(encoded) <= max_length:
        return encoded
    number = max((n for n, m in enumerate(messages) if m["role"] == "user"), key=lambda n: len(messages[n]["content"]), default=None)
    if number is None:
        raise UserError(f"{name} has {len(encoded)} tokens, the limit is {max_length}, and there is no news to shorten.")
    messages = [dict(message) for message in messages]
    news, limit = messages[number]["content"], len(messages[number]["content"])
    while len(encoded) > max_length and limit > 0:
        # The share of the news that must go, and a little more: cutting changes how the borders are encoded.
        tokens = encoded.origins.count("user")
        limit = min(limit - 1, int(limit * (tokens - (len(encoded) - max_length)) / max(tokens, 1)) - len(ELLIPSIS))
        messages[number]["content"] = shorten_middle(news, limit)
        encoded = encode_pieces(tokenizer, build_pieces(tokenizer, messages))
    if len(encoded) > max_length or limit <= 0:  # an answer without its news teaches to invent
        raise UserError(f"{name} needs {len(encoded)} tokens without any news, the limit is {max_length}; raise --max-length or shorten its system prompt or answer.")
    return encoded


def shorten_middle(text: str, limit: int) -> str:
    """`text` cut to its first and last `limit` / 2 characters around an ellipsis; empty where `limit` is not positive."""
    if limit <= 0:
        return ""
    if len(text) <= limit:
        return text
    head = (limit + 1) // 2
    return text[:head] + ELLIPSIS + text[len(text) - (limit - head) :]
