"""Proposes the next tokens of an answer: what followed the same tokens earlier in itself, in its prompt, or in answers that the training saw.

An answer quotes its article, and its form is that of the answers in the training data. The model checks a proposal in the pass that it would need for one token anyway, and
what it would not have said itself is thrown away: the greedy answer stays the same to rounding, in fewer passes. An n-gram proposer, better known as prompt lookup
(https://github.com/apoorvumang/prompt-lookup-decoding).
"""

from collections.abc import Iterable

LONGEST = 5  # tokens that have to agree, tried first; then fewer


class NgramProposer:
    """A growing text, and where each of its sequences of one to LONGEST tokens was last followed by another token.

    What is not in it is looked up in `behind`, which many can share.
    """

    def __init__(self, ids: Iterable[int] = (), *, behind: "NgramProposer | None" = None):
        self._behind = behind
        self._ids: list[int] = []
        self._next: dict[tuple[int, ...], int] = {}
        self.extend(ids)

    def __len__(self) -> int:
        return len(self._ids)

    def extend(self, ids: Iterable[int]) -> None:
        """The text goes on."""
        text = self._ids
        for token in ids:
            place = len(text)
            for size in range(1, min(LONGEST, place) + 1):
                self._next[tuple(text[place - size :])] = place
            text.append(token)

    def propose(self, most: int) -> list[int]:
        """At most so many tokens that may follow; none where the last token is new to the text."""
        for size in range(min(LONGEST, len(self._ids)), 0, -1):
            last = tuple(self._ids[-size:])
            for text in (self, self._behind):
                place = text._next.get(last) if text else None
                if place is not None:
                    return text._ids[place : place + most]
        return []
