"""Whether a row is what the template and the tokenizer make of its messages by themselves: the same text, the same ids.

Contents are inserted by us and control tokens cut by us, so both are asked again here: a template may look into a content (Qwen3's takes a think
block out of an answer), a tokenizer may cut elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import IGNORED, Encoded

SHOWN = 24  # characters on each side of a difference that are quoted


@dataclass(frozen=True)
class Difference:
    """The first place at which a row is not what it should be: `what` is text or ids; `own` is what the row has there, `expected` what it should."""

    what: str
    own: str
    expected: str

    def __str__(self) -> str:
        if self.what == "text":
            return f"the chat template writes {self.expected!r} where the row has {self.own!r}, as it looks into the message"
        return f"the tokenizer makes {self.expected} of the whole text where the row has {self.own}"


def find_text_difference(chat: ChatFormat, messages: Sequence[dict], encoded: Encoded) -> Difference | None:
    """The first difference between a row's text and the template's own text of the messages that it was made of."""
    expected = chat.render(messages).removesuffix(chat.uninvited(messages))
    if encoded.text == expected:
        return None
    place = next(
        (i for i, (one, other) in enumerate(zip(encoded.text, expected, strict=False)) if one != other),
        min(len(encoded.text), len(expected)),
    )
    begin = max(place - SHOWN, 0)
    return Difference("text", encoded.text[begin : place + SHOWN], expected[begin : place + SHOWN])


def find_id_difference(chat: ChatFormat, messages: Sequence[dict], encoded: Encoded) -> Difference | None:
    """The first difference between a row's ids and the tokenizer's own of its whole text, where no message spells a control token.

    A token that would reach from the prompt into the answer is none: inference gives the prompt alone, so there the row has to be cut (see `joins_answer`).
    """
    if any(is_control for message in messages for _, is_control in chat.split_at_control(message["content"])):
        return None
    own, reference = encoded.input_ids, chat.encode_text(encoded.text)
    if own == reference.ids:
        return None
    for cut in _cuts(encoded):
        before = chat.encode_text(encoded.text[: encoded.spans[cut][0]]).ids
        if own[:cut] != before:
            return _first(chat, own[:cut], before)
        if reference.ids[:cut] != before:
            return None
    return _first(chat, own, reference.ids)


def joins_answer(chat: ChatFormat, messages: Sequence[dict], encoded: Encoded) -> bool:
    """Whether the tokenizer by itself would join the end of a prompt with the beginning of its answer, so that the row's ids are others than those of its whole text."""
    if any(is_control for message in messages for _, is_control in chat.split_at_control(message["content"])):
        return False
    return (
        encoded.input_ids != chat.encode_text(encoded.text).ids and find_id_difference(chat, messages, encoded) is None
    )


def _cuts(encoded: Encoded) -> list[int]:
    """The tokens with which what is trained begins."""
    labels = [IGNORED, *encoded.labels]
    return [i for i, (before, label) in enumerate(pairwise(labels)) if before == IGNORED != label]


def _first(chat: ChatFormat, own: Sequence[int], expected: Sequence[int]) -> Difference:
    place = next(
        (i for i, (one, other) in enumerate(zip(own, expected, strict=False)) if one != other),
        min(len(own), len(expected)),
    )
    names = [chat.tokenizer.convert_ids_to_tokens(list(ids[place : place + 3])) for ids in (own, expected)]
    return Difference("ids", *(f"token {place} {' '.join(map(str, shown))!r}" for shown in names))
