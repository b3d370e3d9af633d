"""Messages -> pieces -> token ids with labels and origins: the one way of encoding, for training, inference and display.

The template's text and the messages' text are encoded apart, so what a user pastes can never become a control token.
"""

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial

from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from newsft import compat
from newsft.encoding.pieces import Piece, render_skeleton
from newsft.errors import UserError, list_rows

IGNORED = -100  # the label that the loss leaves out (torch.nn.CrossEntropyLoss, ignore_index)
ELLIPSIS = " … "  # stands where the middle of a long news text was left out
KEPT_SKELETONS = 64  # sequences of roles whose rendered template is kept; visitors of the page can send any

Span = tuple[int, int]  # first character and the one after the last


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


class ChatFormat:
    """A tokenizer and its chat template: the one way from messages to token ids. Safe for threads.

    What follows from the two alone (the text around the messages, the token that ends a turn, the control tokens) is computed once, so neither
    may be changed afterwards. Make one for each tokenizer: its lock is its own. Raises UserError for a tokenizer without template or fast form.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        if not tokenizer.is_fast:
            raise UserError(f"The tokenizer in {tokenizer.name_or_path} has no fast form, which tells each token's place in the text; use a model that ships a tokenizer.json.")
        if not tokenizer.chat_template:
            raise UserError(f"The tokenizer in {tokenizer.name_or_path} has no chat template; use an instruct model, or set `chat_template` in its tokenizer_config.json.")
        self.tokenizer = tokenizer
        self._lock = threading.Lock()  # fast tokenizers are not thread-safe when calls differ in their options: 2-3 % of the ids came out wrong, silently
        self._skeleton = lru_cache(maxsize=KEPT_SKELETONS)(partial(render_skeleton, tokenizer))

    def __reduce__(self) -> tuple:
        return ChatFormat, (self.tokenizer,)  # a data loader's process gets its own

    @property
    def template(self) -> str:
        """The chat template's source."""
        return self.tokenizer.get_chat_template()

    @cached_property
    def end_id(self) -> int:
        """The id of the token that the template puts after an answer, which is the last label of every row."""
        row = self.encode_row([{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}])
        return [label for label in row.labels if label != IGNORED][-1]

    @property
    def end_token(self) -> str:
        """The name of that token."""
        return self.tokenizer.convert_ids_to_tokens(self.end_id)

    @property
    def pad_id(self) -> int:
        """What fills the shorter rows of a batch. The mask tells padding, not the id: in VARCO it is `!`."""
        return self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """The ids that no ordinary text produces. VARCO's pad token `!` is special by name only and not among them."""
        special = {number: token.content for number, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        return frozenset(number for number, content in special.items() if self.encode_pieces([Piece(content, "user")]).input_ids != [number])

    @cached_property
    def is_byte_level(self) -> bool:
        """Whether the names of the tokens are bytes in disguise (GPT-2's way), rather than text."""
        return compat.is_byte_level(self.tokenizer)

    @cached_property
    def _border(self) -> re.Pattern:
        names = filter(None, self.tokenizer.convert_ids_to_tokens(sorted(self.control_ids)))
        return re.compile("(" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + ")")

    def split_at_control(self, text: str) -> list[tuple[str, bool]]:
        """The text cut around what is spelled like a control token: the parts, and whether each is such a spelling."""
        parts = self._border.split(text) if self.control_ids else [text]  # at odd places stands what the pattern found
        return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]

    def build_pieces(self, messages: Sequence[dict], *, generation_prompt: bool = False) -> list[Piece]:
        """The conversation as pieces; joined, they are the template's own text (less a header after the last answer that nobody asked for).

        `messages` are dicts with `role` and `content`. Raises UserError where there is none, or where the template drops one.
        """
        if not messages:
            raise UserError("There is no message to encode; give at least a user message.")
        return self._skeleton(tuple(message["role"] for message in messages), generation_prompt=generation_prompt).fill(messages)

    def encode_pieces(self, pieces: Sequence[Piece]) -> Encoded:
        """Each piece encoded by itself: control tokens exist in template pieces only, contents stay ordinary text."""
        return self._encode_all([pieces])[0]

    def encode_prompt(self, messages: Sequence[dict]) -> Encoded:
        """What the model is given to answer: the conversation up to and with the answer's header."""
        return self.encode_pieces(self.build_pieces(messages, generation_prompt=True))

    def encode_row(self, messages: Sequence[dict], *, max_length: int | None = None, name: str = "row") -> Encoded:
        """A training row: labels are the answers and the tokens that end them, everything else is -100.

        A row of more than `max_length` tokens loses the middle of its news, never its answer or template. Raises UserError
        naming the row where nothing of the news would be left. With Llama 3's tokenizer:

            encode_row([{"role": "user", "content": "1 + 1?"}, {"role": "assistant", "content": "2"}])

            input_ids   128000  128006 882 128007 271  16 489 220 16 30  128009    128006 78191 128007 271  17      128009
            text        BOS     header of the user     1 + 1?            <|eot_id|> header of the answer    2      <|eot_id|>
            origins     template ...                   user ...          template ...                       answer template
            labels      -100 ...                                                                            17     128009
        """
        return self._fit(messages, self.encode_pieces(self.build_pieces(messages)), max_length=max_length, name=name)

    def encode_rows(self, conversations: Sequence[Sequence[dict]], *, max_length: int | None = None, first: int = 0) -> list[Encoded]:
        """Many rows as `encode_row` encodes them, tokenized together. One error names all rows that do not fit, the first row having the number `first`."""
        whole = self._encode_all([self.build_pieces(messages) for messages in conversations])
        encoded, failures = [], {}
        for number, (messages, one) in enumerate(zip(conversations, whole, strict=True), first):
            try:
                encoded.append(self._fit(messages, one, max_length=max_length, name=f"row {number}"))
            except UserError as error:
                failures[number] = error
        if failures:
            raise UserError(f"{len(failures)} of {len(conversations)} rows do not fit (rows {list_rows(list(failures))}). The first: {next(iter(failures.values()))}")
        return encoded

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer's ids, as the tokens spell it and without special ones."""
        return self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def _encode_all(self, conversations: Sequence[Sequence[Piece]]) -> list[Encoded]:
        """Many conversations' pieces in two calls of the tokenizer; texts that recur, as template and system prompt do, are encoded once."""
        texts = dict.fromkeys((piece.text, piece.origin == "template") for pieces in conversations for piece in pieces)  # a set that keeps the order
        found: dict[tuple[str, bool], Encoding] = {}
        for template in (True, False):
            wanted = [text for text, is_template in texts if is_template == template]
            found.update(zip([(text, template) for text in wanted], self._encode_texts(wanted, control_tokens=template), strict=True))
        return [_join_pieces(pieces, found) for pieces in conversations]

    def _encode_texts(self, texts: Sequence[str], *, control_tokens: bool) -> list[Encoding]:
        """As `tokenizer(texts, add_special_tokens=False, split_special_tokens=not control_tokens)`, which spends nearly half of its time on lists that are not needed."""
        backend = self.tokenizer.backend_tokenizer
        with self._lock:
            backend.no_truncation()
            backend.no_padding()
            backend.encode_special_tokens = not control_tokens
            return backend.encode_batch(list(texts), add_special_tokens=False)

    def _fit(self, messages: Sequence[dict], encoded: Encoded, *, max_length: int | None, name: str) -> Encoded:
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
            encoded = self.encode_pieces(self.build_pieces(messages))
        if len(encoded) > max_length or limit <= 0:  # an answer without its news would teach the model to invent
            raise UserError(f"{name} needs {len(encoded)} tokens without any news, the limit is {max_length}; raise --max-length or shorten its system prompt or answer.")
        return encoded


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


def shorten_middle(text: str, limit: int) -> str:
    """`text` cut to its first and last `limit` / 2 characters around an ellipsis; empty where `limit` is not positive."""
    if limit <= 0:
        return ""
    if len(text) <= limit:
        return text
    head = (limit + 1) // 2
    return text[:head] + ELLIPSIS + text[len(text) - (limit - head) :]
