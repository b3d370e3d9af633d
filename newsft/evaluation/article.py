"""A row's article as a prompt that the model has room for: one that is too long loses its middle, as it does in training."""

from bisect import bisect_right
from collections.abc import Sequence

from newsft.data.messages import asked_messages
from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import Encoded, shorten_middle
from newsft.errors import UserError
from newsft.inference.types import Prompt


def encode_article(chat: ChatFormat, row: dict, *, room: int, number: int) -> Prompt:
    """The prompt of the row `number`, of at most `room` tokens. Raises UserError naming the row where nothing of its news would be left."""
    encoded = _encode(chat, row, row["user_prompt"])
    if len(encoded) <= room:
        return _as_prompt(row, row["user_prompt"], encoded)
    lengths = range(1, len(row["user_prompt"]))
    length = bisect_right(
        lengths, room, key=lambda limit: len(_encode(chat, row, shorten_middle(row["user_prompt"], limit)))
    )
    if length == 0:
        raise UserError(
            f"row {number} has no room for its news: besides its answer the model takes {room:,} tokens, and the system prompt fills them; lower --max-new-tokens or shorten the prompt."
        )
    news = shorten_middle(row["user_prompt"], length)
    return _as_prompt(row, news, _encode(chat, row, news))


def find_long(chat: ChatFormat, rows: Sequence[dict], *, room: int) -> list[int]:
    """The numbers of the rows whose prompt has more than `room` tokens."""
    return [number for number, row in enumerate(rows) if len(_encode(chat, row, row["user_prompt"])) > room]


def _encode(chat: ChatFormat, row: dict, news: str) -> Encoded:
    return chat.encode_prompt(asked_messages(row | {"user_prompt": news}))


def _as_prompt(row: dict, news: str, encoded: Encoded) -> Prompt:
    return Prompt(asked_messages(row | {"user_prompt": news}), encoded)
