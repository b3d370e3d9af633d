"""Messages -> pieces -> token ids with labels and origins: the one way of encoding, for training, inference and display.

Control tokens are looked for in the template's text alone, so what a user pastes can never become one.
"""

import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property, lru_cache

from jinja2 import TemplateError
from tokenizers import Encoding
from transformers import PreTrainedTokenizerBase

from newsft import compat
from newsft.encoding.ordinary import OrdinaryTokenizer, without_control
from newsft.encoding.pieces import Piece, Skeleton, render_skeleton
from newsft.encoding.row import ELLIPSIS, IGNORED, Encoded, shorten_middle
from newsft.encoding.stretches import Stretch, cut_pieces, owners
from newsft.errors import UserError, list_rows, one_line

KEPT_SKELETONS = 64  # sequences of roles whose rendered template is kept; visitors of the page can send any
KEPT_PARTS = 1024  # template pieces whose control tokens are kept
FAILURES = (
    TemplateError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
)  # what a template raises that does not expect these messages


class ChatFormat:
    """A tokenizer and its chat template: the one way from messages to token ids. Safe for threads.

    What follows from the two alone (the text around the messages, the token that ends a turn, the control tokens) is computed once, so neither
    may be changed afterwards. Make one for each tokenizer: its lock is its own. `day` is the date for a template that writes one, by default today's.
    Raises UserError for a tokenizer without template or fast form.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, day: date | None = None):
        if not tokenizer.is_fast:
            raise UserError(
                f"The tokenizer in {tokenizer.name_or_path} has no fast form, which tells each token's place in the text; use a model that ships a tokenizer.json."
            )
        if not tokenizer.chat_template:
            raise UserError(
                f"The tokenizer in {tokenizer.name_or_path} has no chat template; use an instruct model, or set `chat_template` in its tokenizer_config.json."
            )
        self.tokenizer, self.day = tokenizer, day or date.today()
        self._lock = threading.RLock()  # fast tokenizers are not thread-safe when calls differ in their options: 2-3 % of the ids came out wrong, silently
        self._skeleton = lru_cache(maxsize=KEPT_SKELETONS)(self._render_skeleton)
        self._split_template = lru_cache(maxsize=KEPT_PARTS)(self._find_control)

    def __reduce__(self) -> tuple:
        return _rebuild, (self.tokenizer, self.day)  # a data loader's process gets its own

    def on_day(self, day: date) -> "ChatFormat":
        """The same with the date of another day."""
        return ChatFormat(self.tokenizer, day=day)

    @property
    def template(self) -> str:
        """The chat template's source."""
        return self.tokenizer.get_chat_template()

    @cached_property
    def is_dated(self) -> bool:
        """Whether the template writes the date."""
        messages = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
        return self.render(messages) != self.on_day(date(2001, 2, 3)).render(messages)

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
        """The ids that no message produces, special by name or not. VARCO's pad token `!` is special by name only and not among them."""
        return frozenset(self._ordinary.control)

    @cached_property
    def added_ids(self) -> frozenset[int]:
        """The ids of all added tokens, control tokens or not; the tokenizer makes their list anew whenever it is asked."""
        return frozenset(self.tokenizer.added_tokens_decoder)

    @cached_property
    def hidden_ids(self) -> frozenset[int]:
        """The control tokens that are no part of an answer's text; a think block is one, and its tokens are not special by name."""
        return frozenset(number for number, token in self._ordinary.control.items() if token.special)

    @cached_property
    def _ordinary(self) -> OrdinaryTokenizer:
        return without_control(self.tokenizer)

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

    def render(self, messages: Sequence[dict], *, generation_prompt: bool = False) -> str:
        """The template's own text of a conversation. Raises UserError where it refuses the messages."""
        try:
            return compat.render_on_day(
                self.tokenizer,
                [_for_template(message) for message in messages],
                generation_prompt=generation_prompt,
                day=self.day,
            )
        except FAILURES as error:  # Gemma's refuses a system prompt, Mistral's two user messages in a row
            roles = ", ".join(message["role"] for message in messages)
            raise UserError(
                f"The chat template refuses the messages {roles}: {one_line(error)}. Change them or use another instruct model."
            ) from error

    def build_pieces(self, messages: Sequence[dict], *, generation_prompt: bool = False) -> list[Piece]:
        """The conversation as pieces; joined, they are the template's own text (less a header after the last answer that nobody asked for).

        With `generation_prompt` what the template writes before an answer follows, which is not always what it calls its generation prompt: Qwen3's row has
        an empty think block there. `messages` are dicts with `role` and `content`; an answer with `"train": False` gets no labels. Raises UserError where there is none, or where the template drops one.
        """
        if not messages:
            raise UserError("There is no message to encode; give at least a user message.")
        roles = tuple(message["role"] for message in messages)
        return (
            self._skeleton((*roles, "assistant")).fill_prompt(messages)
            if generation_prompt
            else self._skeleton(roles).fill(messages)
        )

    def uninvited(self, messages: Sequence[dict]) -> str:
        """What the template writes behind the last answer though nobody asked, and no row has."""
        return self._skeleton(tuple(message["role"] for message in messages)).tail

    def _render_skeleton(self, roles: tuple[str, ...]) -> Skeleton:
        return render_skeleton(self.render, roles, control=[token.content for token in self._ordinary.control.values()])

    def encode_pieces(self, pieces: Sequence[Piece]) -> Encoded:
        """The pieces as one text, in which control tokens exist in template pieces only and contents stay ordinary text."""
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

    def encode_rows(
        self, conversations: Sequence[Sequence[dict]], *, max_length: int | None = None, first: int = 0
    ) -> list[Encoded]:
        """Many rows as `encode_row` encodes them, tokenized together. One error names all rows that do not fit, the first row having the number `first`."""
        whole = self._encode_all([self.build_pieces(messages) for messages in conversations])
        encoded, failures = [], {}
        for number, (messages, one) in enumerate(zip(conversations, whole, strict=True), first):
            try:
                encoded.append(self._fit(messages, one, max_length=max_length, name=f"row {number}"))
            except UserError as error:
                failures[number] = error
        if failures:
            raise UserError(
                f"{len(failures)} of {len(conversations)} rows do not fit (rows {list_rows(list(failures))}). The first: {next(iter(failures.values()))}",
                key="rows_too_long",
                count=len(failures),
                total=len(conversations),
                rows=list(failures),
                limit=max_length,
            )
        return encoded

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer's ids, as the tokens spell it and without the hidden ones."""
        return self.tokenizer.decode(
            [number for number in ids if number not in self.hidden_ids],
            skip_special_tokens=False,
            clean_up_tokenization_spaces=False,
        )

    def encode_text(self, text: str) -> Encoding:
        """The tokenizer's own tokens of a whole text that nobody pasted: whatever is spelled like a control token is one, and nothing is added.

        A tokenizer that was saved with an exclamation mark as its pad token would cut `!!` in two, as no other text; here the model's own ids stay.
        """
        with self._lock:
            return self._ordinary.encode_whole(text)

    def _find_control(self, piece: Piece) -> list[tuple[Piece, int | None]]:
        """A template's piece cut at its control tokens: the parts, each with its token's id or None. A token may take the white space around it."""
        control, text, parts, reached = self._ordinary.control, piece.text, [], 0
        tokens = self.encode_text(text)
        for number, (first, last) in zip(tokens.ids, tokens.offsets, strict=True):
            if number not in control:
                continue
            first = len(text[:first].rstrip()) if control[number].lstrip else first
            last = len(text) - len(text[last:].lstrip()) if control[number].rstrip else last
            parts += [(text[reached:first], None), (text[max(first, reached) : last], number)]
            reached = last
        return [(replace(piece, text=part), number) for part, number in (*parts, (text[reached:], None)) if part]

    def _encode_all(self, conversations: Sequence[Sequence[Piece]]) -> list[Encoded]:
        """Many conversations' pieces in a few calls of the tokenizer; texts that recur, as template and system prompt do, are encoded once."""
        cut = [cut_pieces(pieces, self._split_template) for pieces in conversations]
        texts = dict.fromkeys(
            stretch.key for stretches in cut for stretch in stretches if stretch.control is None
        )  # a set that keeps the order
        found: dict[tuple[str, str], Encoding] = {}
        with self._lock:
            for place in {place for place, _ in texts}:
                wanted = [key for key in texts if key[0] == place]
                found.update(zip(wanted, self._ordinary.encode([text for _, text in wanted], place=place), strict=True))
        return [self._join(stretches, found) for stretches in cut]

    def _join(self, stretches: Sequence[Stretch], found: dict[tuple[str, str], Encoding]) -> Encoded:
        encoded, start = Encoded(text="".join(stretch.text for stretch in stretches)), 0
        for stretch in stretches:
            is_text = stretch.control is None
            tokens = found[stretch.key] if is_text else stretch.control_token
            ids, first = self._ordinary.ids_of(tokens) if is_text else tokens.ids, 0
            encoded.input_ids += ids
            for part, count in owners(stretch, tokens):
                encoded.labels += ids[first : first + count] if part.trained else [IGNORED] * count
                encoded.origins += [part.origin] * count
                first += count
            encoded.offsets.append((start, tokens))
            start += len(stretch.text)
        encoded.attention_mask = [1] * len(encoded.input_ids)
        return encoded

    def _fit(self, messages: Sequence[dict], encoded: Encoded, *, max_length: int | None, name: str) -> Encoded:
        encoded.messages = messages
        if max_length is None or len(encoded) <= max_length:
            return encoded
        number = max(
            (n for n, m in enumerate(messages) if m["role"] == "user"),
            key=lambda n: len(messages[n]["content"]),
            default=None,
        )
        if number is None:
            raise UserError(
                f"{name} has {len(encoded)} tokens, the limit is {max_length}, and there is no news to shorten."
            )
        messages = [dict(message) for message in messages]
        news, limit = messages[number]["content"], len(messages[number]["content"])
        while len(encoded) > max_length and limit > 0:
            # The share of the news that must go, and a little more: cutting changes how the borders are encoded.
            tokens = encoded.origins.count("user")
            limit = min(limit - 1, int(limit * (tokens - (len(encoded) - max_length)) / max(tokens, 1)) - len(ELLIPSIS))
            messages[number]["content"] = shorten_middle(news, limit)
            encoded = self.encode_pieces(self.build_pieces(messages))
        if len(encoded) > max_length or limit <= 0:  # an answer without its news would teach the model to invent
            raise UserError(
                f"{name} needs {len(encoded)} tokens without any news, the limit is {max_length}; raise --max-length or shorten its system prompt or answer."
            )
        encoded.messages = messages
        return encoded


def _for_template(message: dict) -> dict:
    return {"role": message["role"], "content": message["content"]}


def _rebuild(tokenizer: PreTrainedTokenizerBase, day: date) -> ChatFormat:
    return ChatFormat(tokenizer, day=day)
