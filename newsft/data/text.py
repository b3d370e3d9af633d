"""Pasted text and text of rows, made fit for the tokenizer."""

import unicodedata

from newsft.errors import UserError

NEWS_LIMIT = 20_000  # characters; the longest real article has about 6,000


def clean_text(text: str, *, limit: int = NEWS_LIMIT, what: str = "news") -> tuple[str, list[str]]:
    """Pasted text made fit for the tokenizer, and what was changed ('nfc', 'surrogate', 'nul').

    NFD Hangul costs twelve times the tokens of NFC, a lone surrogate is a TypeError in the tokenizer. Raises UserError
    for empty text and for more than `limit` characters; both are checked before any token is made.
    """
    if not isinstance(text, str) or not text.strip():
        raise _empty(what)
    if len(text) > limit:
        message = f"The {what.replace('_', ' ')} has {len(text):,} characters, the limit is {limit:,}; shorten it."
        raise UserError(message, key=f"{what}_too_long", count=len(text), limit=limit)
    text, changes = normalise(text)
    if not text.strip():
        raise _empty(what)
    return text, changes


def normalise(text: str) -> tuple[str, list[str]]:
    """NFC, no NUL, U+FFFD for a lone surrogate, and which of these changed the text; lines that end with LF, which is not worth a word."""
    changes = []
    for name, changed in (
        ("surrogate", lambda t: "".join("\ufffd" if 0xD800 <= ord(c) <= 0xDFFF else c for c in t)),
        ("nul", lambda t: t.replace("\0", "")),
        ("nfc", lambda t: unicodedata.normalize("NFC", t)),
    ):
        after = changed(text)
        if after != text:
            changes.append(name)
            text = after
    return text.replace("\r\n", "\n").replace("\r", "\n"), changes


def _empty(what: str) -> UserError:
    return UserError(f"The {what.replace('_', ' ')} is empty; paste a text or choose an example.", key=f"{what}_empty")
