"""A conversation as tokens, with their labels, mask and origins; and how a text that is too long for one loses its middle."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tokenizers import Encoding

from newsft.encoding.stretches import ControlToken, Span

IGNORED = -100  # the label that the loss leaves out (torch.nn.CrossEntropyLoss, ignore_index)
ELLIPSIS = " … "  # stands where the middle of a long news text was left out


@dataclass
class Encoded:
    """One conversation as tokens. The four lists have the same length; `offsets` has each stretch's start in `text` and its tokens as the tokenizer gave them."""

    text: str = ""
    input_ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    attention_mask: list[int] = field(default_factory=list)
    origins: list[str] = field(default_factory=list)
    offsets: list[tuple[int, Encoding | ControlToken]] = field(default_factory=list, compare=False)
    messages: Sequence[dict] = field(
        default=(), compare=False
    )  # of a training row: what it was made of, its news shortened where it was too long

    @classmethod
    def from_spans(
        cls,
        text: str,
        input_ids: list[int],
        labels: list[int],
        attention_mask: list[int],
        origins: list[str],
        spans: list[Span],
    ) -> "Encoded":
        """A row whose tokens' positions are known, so that nothing is left to compute."""
        row = cls(text, input_ids, labels, attention_mask, origins)
        row.spans = spans
        return row

    @cached_property
    def spans(self) -> list[Span]:
        """Per token its characters' positions in `text`; computed when asked for, as the training never asks."""
        return [(start + first, start + last) for start, piece in self.offsets for first, last in piece.offsets]

    def __len__(self) -> int:
        return len(self.input_ids)


def shorten_middle(text: str, limit: int) -> str:
    """`text` cut to its first and last `limit` / 2 characters around an ellipsis; empty where `limit` is not positive."""
    if limit <= 0:
        return ""
    if len(text) <= limit:
        return text
    head = (limit + 1) // 2
    return text[:head] + ELLIPSIS + text[len(text) - (limit - head) :]
