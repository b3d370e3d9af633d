"""The bytes behind a token: a syllable that the vocabulary lacks is spread over several, none of which is text by itself."""

import codecs
import re
from collections.abc import Sequence

from transformers.convert_slow_tokenizer import bytes_to_unicode

from newsft.encoding.chat import ChatFormat

FALLBACK = re.compile(r"<0x([0-9A-F]{2})>")  # SentencePiece's name for a byte
BYTE_OF = {character: number for number, character in bytes_to_unicode().items()}
LONGEST = 4  # bytes of a character in UTF-8


def token_bytes(chat: ChatFormat, number: int) -> bytes | None:
    """A token's bytes where its name tells them; None for one that is text, or nothing that the tokenizer knows."""
    name = chat.tokenizer.convert_ids_to_tokens(number)
    if name is None or number in chat.added_ids:
        return None
    if chat.is_byte_level:
        return (
            bytes(BYTE_OF[character] for character in name) if all(character in BYTE_OF for character in name) else None
        )
    found = FALLBACK.fullmatch(name)
    return bytes([int(found[1], 16)]) if found else None


def unfinished_bytes(chat: ChatFormat, ids: Sequence[int]) -> int:
    """How many bytes at the end of these tokens begin a character that does not end there."""
    tail = b""
    for number in reversed(ids[-LONGEST:]):
        known = token_bytes(chat, number)
        if known is None:
            break
        tail = known + tail
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(tail)
    return len(decoder.getstate()[0])
