"""A row as the conversation that is trained on, and as the gold answer that is scored against."""

import ast
from typing import Any

Message = dict[str, str]


def gold_text(row: dict) -> str:
    """The answer as the text that the model learns: `str()` of the dict, as the lesson has it."""
    return str(row["assistant"])


def gold_answer(row: dict) -> dict[str, Any] | None:
    """The answer as a dict; None where a real row's text does not parse."""
    if isinstance(row["assistant"], dict):
        return row["assistant"]
    try:
        value = ast.literal_eval(row["assistant"])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def row_messages(row: dict) -> list[Message]:
    """A row as the conversation that is trained on: system, user, assistant."""
    return [*prompt_messages(row["user_prompt"], system_prompt=row["system_prompt"]), {"role": "assistant", "content": gold_text(row)}]


def prompt_messages(news: str, *, system_prompt: str) -> list[Message]:
    """What the model is asked: system and user."""
    messages = [{"role": "user", "content": news}]
    return [{"role": "system", "content": system_prompt}, *messages] if system_prompt.strip() else messages
