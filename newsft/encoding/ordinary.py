"""A tokenizer without its control tokens: what messages are encoded with, so that nothing which is pasted can become one.

`split_special_tokens=True` is not enough: it leaves whole whatever a tokenizer has added without the flag `special`, as Qwen3 its think and tool
tokens and DeepSeek V3 its role markers.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import AddedToken, Encoding, Tokenizer
from transformers import PreTrainedTokenizerBase

from newsft import compat

BRACKETED = re.compile(r"[<\[{(|｜].*[>\]})|｜]", re.DOTALL)  # how control tokens are spelled
# Where a text stands: where the whole begins, behind a control token, or behind a place at which we cut and the tokenizer would not. A tokenizer
# that puts a space before what it encodes (SentencePiece's do) puts it at the first place alone or at the first two, never at the third.
START, BEHIND, CUT = "start", "behind", "cut"


@dataclass(frozen=True)
class OrdinaryTokenizer:
    """`control` are the control tokens, id -> token; `backends` encode text as if there were none, one for each place of a text."""

    control: dict[int, AddedToken]
    whole: Tokenizer  # with the control tokens
    backends: dict[str, Tokenizer]
    ids: dict[int, int]  # the ids that an added word has in the backends -> its own, where they differ

    def encode(self, texts: Sequence[str], *, place: str = START) -> list[Encoding]:
        """The texts' tokens; UserError never, control tokens never. Not safe for threads."""
        return self.backends[place].encode_batch(list(texts), add_special_tokens=False)

    def encode_whole(self, text: str) -> Encoding:
        """A text's tokens, control tokens among them. Not safe for threads."""
        self.whole.no_truncation()
        self.whole.no_padding()
        self.whole.encode_special_tokens = False
        return self.whole.encode(text, add_special_tokens=False)

    def ids_of(self, tokens: Encoding) -> list[int]:
        """The tokenizer's own ids for what a backend gave."""
        return [self.ids.get(number, number) for number in tokens.ids] if self.ids else tokens.ids


def without_control(tokenizer: PreTrainedTokenizerBase) -> OrdinaryTokenizer:
    """The tokenizer without its control tokens. Its vocabulary is shared, its ids are the same."""
    backend, added = tokenizer.backend_tokenizer, tokenizer.added_tokens_decoder
    plain = Tokenizer(backend.model)
    for name in ("normalizer", "pre_tokenizer"):
        if getattr(backend, name) is not None:
            setattr(plain, name, getattr(backend, name))
    spelled = {
        number: number in plain.encode(token.content, add_special_tokens=False).ids for number, token in added.items()
    }
    text = {number: token for number, token in added.items() if _is_text(tokenizer, token, spelled=spelled[number])}
    control = {number: token for number, token in added.items() if number not in text}
    if hidden := [
        number for number in control if spelled[number]
    ]:  # a Unigram model takes them for words like any other
        plain = compat.hide_names(plain, hidden)
    backends = {START: plain, BEHIND: plain, CUT: plain}
    if compat.has_prefix(plain):
        backends |= {BEHIND: compat.without_prefix(plain, only_first=True), CUT: compat.without_prefix(plain)}
    words = [token for number, token in text.items() if not spelled[number] or token.content.isspace()]
    for one in {id(one): one for one in backends.values()}.values():
        one.add_tokens(
            [
                AddedToken(
                    word.content,
                    lstrip=word.lstrip,
                    rstrip=word.rstrip,
                    single_word=word.single_word,
                    normalized=word.normalized,
                )
                for word in words
            ]
        )
    ids = {plain.token_to_id(word.content): tokenizer.convert_tokens_to_ids(word.content) for word in words}
    whole = (
        compat.without_added(backend, names)
        if (names := [token.content for number, token in text.items() if token.special])
        else backend
    )
    return OrdinaryTokenizer(control, whole, backends, {here: own for here, own in ids.items() if here != own})


def _is_text(tokenizer: PreTrainedTokenizerBase, token: AddedToken, *, spelled: bool) -> bool:
    """Whether an added token is text like any other: white space (Gemma's runs of line breaks), a word that somebody added, or VARCO's `!`.

    VARCO's pad token is special by name only, the vocabulary has it as an exclamation mark: `spelled` says that text produces it all the same.
    """
    name = token.content
    if name.isspace():
        return not token.special
    if BRACKETED.fullmatch(name) or name in (tokenizer.bos_token, tokenizer.eos_token):
        return False
    if token.special:
        return spelled and name == tokenizer.pad_token
    return name not in str(tokenizer.chat_template)
