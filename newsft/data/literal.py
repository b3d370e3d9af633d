"""A Python dict written as text, read back: what an answer is to be."""

import ast
from typing import Any


def read_dict(text: str) -> dict[Any, Any] | None:
    """The dict where `ast.literal_eval` reads the text as one, else None; nothing is executed."""
    try:
        value = ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None  # which of these it is differs between Python versions (a NUL character, deep nesting)
    return value if isinstance(value, dict) else None
