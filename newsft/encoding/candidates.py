"""A single token that could come next -> what a person can read of it, as the token tab shows those of a row: its text, or its bytes of a syllable."""

from collections.abc import Sequence
from dataclasses import dataclass

from newsft.encoding.chat import ChatFormat
from newsft.encoding.token_bytes import token_bytes, unfinished_bytes

META_SPACE = "\u2581"  # SentencePiece's mark for a space


@dataclass(frozen=True)
class Candidate:
    """One token. `text` is None where its bytes are only a part of a character; `completes` is the character that they complete behind the tokens before."""

    id: int
    text: str | None
    bytes: bytes
    control: bool
    completes: str | None = None


def read_candidate(chat: ChatFormat, token: int, before: Sequence[int]) -> Candidate:
    """A token behind the tokens `before`."""
    known = token_bytes(chat, token)
    if known is None:
        name = chat.tokenizer.convert_ids_to_tokens(int(token)) or ""
        text = name if token in chat.added_ids else name.replace(META_SPACE, " ")
        return Candidate(token, text, text.encode(), token in chat.control_ids)
    text = _decode(known)
    if text is not None:
        return Candidate(token, text, known, control=False)
    open_bytes = _open_bytes(chat, before)
    return Candidate(token, None, known, control=False, completes=_decode(open_bytes + known) if open_bytes else None)


def _open_bytes(chat: ChatFormat, before: Sequence[int]) -> bytes:
    """The bytes at the end of these tokens that begin a character."""
    count = unfinished_bytes(chat, before)
    tail = b"".join(token_bytes(chat, token) or b"" for token in before[-count:]) if count else b""
    return tail[len(tail) - count :]


def _decode(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
