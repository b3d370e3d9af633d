"""Unlikelihood of what a list already holds, and of loops.

A small model that is not sure of the next item writes the last one again, and then again to the end: a circuit that copies finds it at once.
The next-token loss alone says too little against it, so at the start of every item the starts of the earlier ones are made unlikely,
and in the loops that are set into answers as slips (`newsft.mini.slips`) every token that goes round again
(after Welleck et al. 2020, https://arxiv.org/abs/1908.04319).
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations

import torch

from newsft.encoding.row import Encoded
from newsft.encoding.stretches import Span

LIST = re.compile(r"\[['\"][^\[\]{}]*\]")
ITEM = re.compile(r"(?<=\[['\"])[^'\"]|(?<=['\"], ['\"])[^'\"]")  # its first sign
LOOP = re.compile(
    r"(.{5,80}?)\1+|(.{1,4}?)\2{3,}", re.DOTALL
)  # a phrase twice, a few signs four times: in a slip sooner than `newsft.evaluation.faithfulness` counts it
REPEATED = 8.0  # what an earlier item or a loop's token weighs, where an ordinary token of an answer weighs 1


def find_repeats(encoded: Encoded) -> Iterator[tuple[int, int]]:
    """For every item of an answer's lists and every item before it in that answer: the places of their first tokens."""
    answers: list[list[int]] = []
    origins = ["", *encoded.origins]
    starts = {}
    for place, (span, origin, before) in enumerate(zip(encoded.spans, encoded.origins, origins, strict=False)):
        if origin == "answer":
            if before != "answer":
                answers.append([])
            starts |= dict.fromkeys(range(*span), (len(answers) - 1, place))
    for match in LIST.finditer(encoded.text):
        for item in ITEM.finditer(encoded.text, *match.span()):
            if found := starts.get(item.start()):
                answers[found[0]].append(found[1])
    for places in answers:
        yield from ((later, earlier) for earlier, later in combinations(sorted(set(places)), 2))


def find_loops(encoded: Encoded, slips: Sequence[Span]) -> Iterator[tuple[int, int]]:
    """For every token that goes round again in one of the slips: its place, twice, as it is itself what must not come there."""
    again: set[int] = set()
    for first, last in slips:
        for match in LOOP.finditer(encoded.text, max(0, first - 80), last):
            period, end = len(match[1] or match[2]), match.end()
            # The last round may be cut short.
            while end < last and encoded.text[end] == encoded.text[end - period]:
                end += 1
            again |= set(range(max(first, match.start() + period), end))
    for place, span in enumerate(encoded.spans):
        if again.issuperset(range(*span)):
            yield place, place


def repeat_loss(
    hidden: torch.Tensor, head: torch.Tensor, read: torch.Tensor, ids: torch.Tensor, repeats: torch.Tensor
) -> torch.Tensor:
    """The sum of -log(1 - p) over `repeats`, p being the probability of an earlier item's first token at the start of a later one.

    hidden   [documents, length, width], the last hidden states after the tokens `read` [documents, length]
    repeats  [pairs, 3]: document, place of the later item, place of the earlier one; in a loop twice the same place
    An earlier item that begins like the one due (`ids`) is left out.
    """
    document, later, earlier = repeats.unbind(1)
    wrong, right = read[document, earlier], ids[document, later]
    logits = torch.nn.functional.linear(hidden[document, later - 1], head).float()
    likely = torch.log_softmax(logits, -1).gather(1, wrong[:, None]).squeeze(1).exp()
    return -(
        torch.log1p(-likely.clamp(max=1 - 1e-6)) * ((wrong != right) | (later == earlier))
    ).sum()  # no tensor whose size a GPU must tell first
