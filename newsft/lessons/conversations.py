"""The conversations that the lesson's tabs show: the toy one, a row of the data set, or one's own text."""

from collections.abc import Sequence

from newsft.data import conversations
from newsft.data.messages import row_messages
from newsft.data.text import clean_text
from newsft.errors import UserError

TOY = [
    {"role": "system", "content": "당신은 친절한 AI 어시스턴트입니다."},
    {"role": "user", "content": "안녕하세요, 오늘 날씨는 어떤가요?"},
    {"role": "assistant", "content": "안녕하세요! 오늘 날씨는 맑고 화창합니다."},
]
NAMES = {"system": "system_prompt", "user": "user_message", "assistant": "answer"}  # as clean_text calls them
MESSAGE_LIMIT = 20
TEXT_LIMIT = 12_000  # characters of one message; the longest real row has about 6,000
DRAWN_TOKENS = 20_000  # longest row that is shown; a syllable that the vocabulary lacks takes three tokens
COMPARED_TOKENS = 6_000  # longest row that is compared with another: in the worst case, one token repeated, the time grows with the square; the longest real row has 5,907


def pick_row(rows: list[dict], number: float | None) -> list[dict]:
    """Row `number` of the data set, counted from 0 as in the lesson. Raises UserError naming the last one."""
    check_number(rows, number)
    return row_messages(rows[int(number)])


def check_number(rows: Sequence, number: float | None) -> None:
    """UserError naming the last row for what is not the number of one of the rows, counted from 0."""
    last = len(rows) - 1
    if number is None:  # the field was emptied
        raise UserError(f"No row was chosen; give a whole number from 0 to {last}.", key="no_number", last=last)
    if not isinstance(number, (int, float)) or not 0 <= number <= last or number != int(number):
        raise UserError(
            f"There is no row {number}; give a whole number from 0 to {last}.", key="no_row", number=number, last=last
        )


def own_messages(system: str, user: str, answer: str) -> tuple[list[dict], list[str]]:
    """One's own three texts as a conversation, and what was changed in them; a blank system prompt is left out.

    Raises UserError for a blank user message or answer and for more than TEXT_LIMIT characters, before any token is made.
    """
    messages, changes = [], []
    for role, text in (("system", system), ("user", user), ("assistant", answer)):
        if role == "system" and not text.replace("\0", "").strip():
            continue
        content, changed = clean_text(text, limit=TEXT_LIMIT, what=NAMES[role])
        messages.append({"role": role, "content": content})
        changes += [change for change in changed if change not in changes]
    return messages, changes


def read_messages(messages: object) -> list[dict]:
    """A conversation from outside, checked: UserError for anything but messages as a data file may hold them, and for over-long text."""
    try:
        read = conversations.read_messages(messages)
    except UserError as error:
        raise UserError(f"The conversation {error}.") from error
    if len(read) > MESSAGE_LIMIT:
        raise UserError(f"There are {len(read)} messages, the limit is {MESSAGE_LIMIT}; send fewer.")
    return [
        message | {"content": clean_text(message["content"], limit=TEXT_LIMIT, what=NAMES[message["role"]])[0]}
        for message in read
    ]


def check_length(tokens: int, *, limit: int = DRAWN_TOKENS) -> None:
    """UserError for a row of more than `limit` tokens, which no browser draws in time."""
    if tokens > limit:
        message = f"The row has {tokens:,} tokens, the limit of this view is {limit:,}; shorten the text."
        raise UserError(message, key="row_too_long", count=tokens, limit=limit)
