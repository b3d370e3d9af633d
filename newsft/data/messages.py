"""A row as the conversation that is trained on, and as the gold answer that is scored against."""

from typing import Any

from newsft.data.literal import read_dict

Message = dict[str, str]


def gold_text(row: dict) -> str:
    """The answer as the text that the model learns: `str()` of the dict, as the lesson has it."""
    return str(row["assistant"])


def gold_answer(row: dict) -> dict[str, Any] | None:
    """The answer as a dict; None where a real row's text does not parse."""
    return row["assistant"] if isinstance(row["assistant"], dict) else read_dict(row["assistant"])


def row_messages(row: dict) -> list[Message]:
    """A row as the conversation that is trained on: system, user, assistant."""
    return [
        *prompt_messages(row["user_prompt"], system_prompt=row["system_prompt"]),
        {"role": "assistant", "content": gold_text(row)},
    ]


def prompt_messages(news: str, *, system_prompt: str) -> list[Message]:
    """What the model is asked: system and user."""
    messages = [{"role": "user", "content": news}]
    return [{"role": "system", "content": system_prompt}, *messages] if system_prompt.strip() else messages
