"""A row as the conversation that is trained on, and as the gold answer that is scored against."""

from collections.abc import Sequence
from typing import Any

from newsft.data.literal import read_dict

Message = dict[str, Any]  # role, content and, for an answer that is not trained, "train": False


def gold_text(row: dict) -> str:
    """The answer as the text that the model learns: `str()` of the dict, as the lesson has it."""
    return str(row["assistant"])


def gold_answer(row: dict) -> dict[str, Any] | None:
    """The answer as a dict; None where a real row's text does not parse."""
    return row["assistant"] if isinstance(row["assistant"], dict) else read_dict(row["assistant"])


def row_messages(row: dict) -> list[Message]:
    """A row as the conversation that is trained on: system, what was said earlier, user, assistant."""
    return [*asked_messages(row), {"role": "assistant", "content": gold_text(row)}]


def asked_messages(row: dict) -> list[Message]:
    """What the model is asked by a row: the conversation before its answer."""
    return prompt_messages(row["user_prompt"], system_prompt=row["system_prompt"], earlier=row.get("earlier", ()))


def asked_text(row: dict) -> str:
    """All that the user says in a row before its answer: the article, in whichever turn it stands."""
    earlier = [message["content"] for message in row.get("earlier", ()) if message["role"] == "user"]
    return "\n".join([*earlier, row["user_prompt"]])


def prompt_messages(news: str, *, system_prompt: str, earlier: Sequence[Message] = ()) -> list[Message]:
    """What the model is asked: system, what was said earlier, user."""
    messages = [*earlier, {"role": "user", "content": news}]
    return [{"role": "system", "content": system_prompt}, *messages] if system_prompt.strip() else messages
