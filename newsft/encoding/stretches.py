"""Pieces -> stretches that are encoded as one text, and their tokens -> a row.

The tokenizer cuts a text at control tokens alone. So what lies between two of them is one stretch, whoever wrote it: encoded apart, the template's
line break and the news behind it would get other ids than they have in the whole text. The one cut more is where an answer begins, for there the prompt ends.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from tokenizers import Encoding

from newsft.encoding.ordinary import BEHIND, CUT, START
from newsft.encoding.pieces import Piece

Span = tuple[int, int]  # first character and the one after the last
Split = Callable[
    [Piece], Iterable[tuple[Piece, int | None]]
]  # a piece -> its parts, each with the id of the control token that it is, or None


class ControlToken(NamedTuple):
    """One control token, with what we ask of an `Encoding`."""

    ids: list[int]
    offsets: list[Span]


@dataclass
class Stretch:
    """Neighbouring parts that are encoded together, or one control token; `place` says how its beginning is encoded."""

    parts: list[Piece]
    control: int | None
    place: str

    @cached_property
    def text(self) -> str:
        """What its parts have together; asked for once all are there."""
        return "".join(part.text for part in self.parts)

    @cached_property
    def control_token(self) -> ControlToken:
        """Of a stretch that is one."""
        return ControlToken([self.control], [(0, len(self.text))])

    @property
    def key(self) -> tuple[str, str]:
        """What determines its tokens."""
        return self.place, self.text


def cut_pieces(pieces: Sequence[Piece], split: Split) -> list[Stretch]:
    """The conversation as stretches; `split` cuts a piece at its control tokens."""
    stretches: list[Stretch] = []
    for piece in pieces:
        for part, control in split(piece) if piece.has_control else ((piece, None),):
            last = stretches[-1] if stretches else None
            if last is not None and last.control is None and control is None:
                if not part.trained or last.parts[-1].trained:
                    last.parts.append(part)
                    continue
                place = CUT
            else:
                place = START if last is None else BEHIND
            stretches.append(Stretch([part], None, place) if control is None else _alone(part, control, place))
    return stretches


@lru_cache(maxsize=1024)
def _alone(part: Piece, control: int, place: str) -> Stretch:
    """One object in all rows: with one for each, the garbage collector took a quarter of the CPU time of encoding with Llama 3's tokenizer."""
    return Stretch([part], control, place)


def owners(stretch: Stretch, tokens: Encoding | ControlToken) -> Iterator[tuple[Piece, int]]:
    """The parts of a stretch, each with how many of its tokens are the part's. Of a token over a border the template has nothing."""
    reached, border, count = 0, 0, len(tokens.ids)
    for part in stretch.parts[:-1]:
        border += len(part.text)
        end = _token_at(tokens, border, len(stretch.text))
        if end is not None and part.origin != "template" and tokens.token_to_chars(end)[0] < border:
            end += 1  # it begins in this content
        end = max(count if end is None else end, reached)
        yield part, end - reached
        reached = end
    yield stretch.parts[-1], count - reached


def _token_at(tokens: Encoding, first: int, last: int) -> int | None:
    """The number of the first token that holds one of the characters from `first` to before `last`; a normalizer may have dropped some."""
    found = (tokens.char_to_token(character) for character in range(first, last))
    return next((number for number in found if number is not None), None)
