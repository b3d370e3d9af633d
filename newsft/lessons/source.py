"""What the lesson can be shown on: the toy conversation, the rows of the data set, one's own text, in one of two tokenizers."""

from dataclasses import dataclass

from newsft.data.messages import row_messages
from newsft.encoding.chat import ChatFormat
from newsft.encoding.llama3 import llama3_chat
from newsft.encoding.row import Encoded
from newsft.errors import UserError
from newsft.lessons.conversations import TOY, own_messages, pick_row

SOURCES, TOKENIZERS = ("toy", "row", "own"), ("llama3", "model")


@dataclass(frozen=True)
class Shelf:
    """What there is to choose from: the rows of the data set and the two tokenizers."""

    rows: list[dict]
    model_chat: ChatFormat
    tests: int = 0  # how many rows, from the first, are the test half

    def chat(self, name: str) -> ChatFormat:
        """`llama3`, VARCO's id for id (converted on first use, about 3 s), or `model`, the loaded model's."""
        if name not in TOKENIZERS:
            raise UserError(f"There is no tokenizer {name!r}; choose one of {', '.join(TOKENIZERS)}.")
        return llama3_chat() if name == "llama3" else self.model_chat

    def messages(self, source: str, number: float, system: str, user: str, answer: str) -> tuple[list[dict], list[str]]:
        """The chosen conversation, and what was changed in one's own text."""
        if source == "own":
            return own_messages(system, user, answer)
        return (pick_row(self.rows, number) if source == "row" else [dict(message) for message in TOY]), []

    def partner(self, encoded: Encoded, chat: ChatFormat) -> Encoded:
        """A row of the data set with more tokens than `encoded`, so that a batch of the two has padding; else the longest."""
        by_length = sorted(self.rows, key=lambda row: len(row["user_prompt"]))
        for row in (*by_length[:: len(by_length) // 10 or 1], by_length[-1]):
            partner = chat.encode_row(row_messages(row))
            if len(partner) > len(encoded):
                break
        return partner
