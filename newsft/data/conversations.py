"""Conversations in the shape of OpenAI's `messages` -> rows: what was said earlier, the last question, its answer.

A row of the three columns is a conversation of one question. One of more questions has the messages between its system prompt and its last
question under the key `earlier`; each earlier answer is trained too, unless its message says otherwise (`"train": False`).
"""

from typing import Any

from newsft.data.splits import Tell
from newsft.errors import UserError, list_rows

COLUMN = "messages"
ROLES = ("system", "user", "assistant")
FLAGS = ("train", "weight")  # Axolotl's name for it and OpenAI's: whether an answer is trained
CALLS = ("tool_calls", "function_call", "tool_call_id")


def read_conversations(source: str, rows: list[dict], *, tell: Tell) -> list[dict]:
    """The rows of a file whose column `messages` holds a conversation each. Raises UserError naming the rows that are none, by the first reason."""
    read, wrong, cut = [], {}, []
    for number, row in enumerate(rows):
        try:
            if row.get("tools"):
                raise UserError(
                    "has tools; only text is trained. Leave the column tools out, and turns that call one",
                    key="row_tools",
                )
            messages = read_messages(row.get(COLUMN))
            kept = _until_trained(messages)
            read.append(_as_row(kept))
        except UserError as error:
            wrong[number] = error
            continue
        if len(kept) < len(messages):
            cut.append(number)
    if wrong:
        first, reason = next(iter(wrong.items()))
        raise UserError(
            f"{source}: {len(wrong)} of {len(rows)} row(s) hold no conversation that can be trained (rows {list_rows(list(wrong))}). Row {first} {reason}.",
            key="no_conversations",
            name=source,
            count=len(wrong),
            total=len(rows),
            rows=list(wrong),
            first=first,
            reason=reason,
        )
    if cut:
        tell(f"what follows the last trained answer is left out in {len(cut)} row(s) (rows {list_rows(cut)})")
    if others := [
        name for name in dict.fromkeys(name for row in rows for name in row) if name != COLUMN and name != "tools"
    ]:
        tell(f"the column(s) {', '.join(others)} are left out")
    return read


def read_messages(given: Any) -> list[dict]:
    """A conversation from outside as dicts with role, content and, where an answer is not trained, `"train": False`.

    Raises UserError saying what is wrong and how to mend it, as the end of a sentence; what is None, as Arrow fills absent keys, counts as not there.
    """
    if not isinstance(given, list) or not given:
        held = f"{given!r:.60}"
        message = f"has no list of messages but {held}; write [{{'role': ..., 'content': ...}}, ...]"
        raise UserError(message, key="row_no_messages", held=held)
    return [_read_message(number, message) for number, message in enumerate(given)]


def _read_message(number: int, given: Any) -> dict:
    held = {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else {}
    role = held.get("role")
    if any(held.get(name) for name in CALLS) or role in ("tool", "function"):
        message = f"calls a tool in message {number}; only text is trained. Leave such conversations out"
        raise UserError(message, key="row_calls", number=number)
    if role not in ROLES:
        message = f"has no role of {', '.join(ROLES)} in message {number} but {role!r:.40}; rename it"
        raise UserError(message, key="row_role", number=number, held=f"{role!r:.40}")
    message = {"role": role, "content": _read_content(number, held.get("content"))}
    return message if _is_trained(number, role, held) else message | {"train": False}


def _read_content(number: int, content: Any) -> str:
    if isinstance(content, list):  # OpenAI's parts
        kinds = [part.get("type") if isinstance(part, dict) else None for part in content]
        other = next((str(kind) for kind in kinds if kind != "text"), None if kinds else "none")
        if other:
            message = f"has a part of the type {other} in message {number}; only text is trained, no images"
            raise UserError(message, key="row_part", number=number, held=other)
        content = "".join(str(part.get("text") or "") for part in content)
    if not isinstance(content, str):
        message = f"has no text in message {number} but {content!r:.40}; write its content as text"
        raise UserError(message, key="row_no_text", number=number, held=f"{content!r:.40}")
    return content


def _is_trained(number: int, role: str, held: dict) -> bool:
    flags = {name: held[name] for name in FLAGS if name in held}
    if wrong := next((name for name, value in flags.items() if value not in (0, 1)), None):
        held = f"{wrong} {flags[wrong]!r:.40}"
        message = f"has {held} in message {number}; write 0 or 1, True or False"
        raise UserError(message, key="row_flag", number=number, held=held)
    if len({bool(value) for value in flags.values()}) > 1:
        message = f"has train and weight in message {number}, which contradict each other; keep one"
        raise UserError(message, key="row_flags", number=number)
    if role != "assistant" and any(flags.values()):
        message = f"wants message {number}, of the role {role}, trained; only answers of the assistant can be"
        raise UserError(message, key="row_trained", number=number, role=role)
    return role != "assistant" or all(flags.values())


def _until_trained(messages: list[dict]) -> list[dict]:
    """The conversation up to its last trained answer: nothing behind it is ever learnt from."""
    trained = [
        number for number, message in enumerate(messages) if message["role"] == "assistant" and "train" not in message
    ]
    if not trained:
        raise UserError("has no answer of the assistant that is trained; add one", key="row_no_answer")
    return messages[: trained[-1] + 1]


def _as_row(messages: list[dict]) -> dict:
    *asked, answer = messages
    if not asked or asked[-1]["role"] != "user":
        message = "has no message of the user right before its last trained answer; put one there"
        raise UserError(message, key="row_no_question")
    *before, question = asked
    system = before.pop(0)["content"] if before and before[0]["role"] == "system" else ""
    if blank := next(
        (message["role"] for message in (*before, question, answer) if not message["content"].strip()), None
    ):
        message = f"has a message of the {blank} without text; fill it or leave the conversation out"
        raise UserError(message, key="row_blank", role=blank)
    row = {"system_prompt": system, "user_prompt": question["content"], "assistant": answer["content"]}
    return row | {"earlier": before} if before else row
