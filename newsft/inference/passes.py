"""Passes through the model that answer nobody: what the tokens of a row cost, and what could come next at every place of an answer."""

from collections.abc import Sequence

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from newsft.inference.decoder import Decoder, forward
from newsft.inference.types import Request

POSITIONS = 64  # of a row, whose logits are worked on together: for a whole row they and their copies would take several times the memory
Likeliest = dict[
    str, tuple[np.ndarray, np.ndarray]
]  # side -> token ids and their probabilities, both (places, most); the likeliest first


@torch.inference_mode()
def score_row(decoder: Decoder, ids: Sequence[int], sides: list[str]) -> list[list[float]]:
    """What every token of a whole row but the first costs on each side, in nats: (sides, tokens - 1)."""
    batch = torch.tensor([list(ids)] * len(sides), device=decoder.model.device)
    with decoder.adapters.set_rows(sides):
        logits = decoder.model(input_ids=batch, use_cache=False).logits[:, :-1]
    parts = zip(logits.split(POSITIONS, dim=1), batch[:, 1:].split(POSITIONS, dim=1), strict=True)
    losses = [cross_entropy(said.float().transpose(1, 2), asked, reduction="none") for said, asked in parts]
    return torch.cat(losses, dim=1).tolist()


@torch.inference_mode()
def find_likeliest(decoder: Decoder, asked: Request, answer: Sequence[int], sides: list[str], most: int) -> Likeliest:
    """The `most` likeliest tokens on each side behind the prompt and the first n tokens of an answer, for n from 0 to the whole of it.

    Nothing is generated: prompt and answer are read, by all sides in one batch, the prompt from the kept cache as far as it reaches.
    Of two tokens that are equally likely the one with the smaller id comes first.
    """
    cache = decoder.read_head(asked.head, sides)
    rest, found = asked.prompt[asked.prefix :], [[] for _ in sides]
    steps = [rest, *(list(answer[start : start + POSITIONS]) for start in range(0, len(answer), POSITIONS))]
    for number, tokens in enumerate(steps):
        ids = torch.tensor([tokens] * len(sides), device=decoder.model.device)
        with decoder.adapters.set_rows(sides):  # of the prompt only the last place is asked about
            logits = forward(decoder.model, ids, cache, logits_to_keep=1 if number == 0 else 0)
        for row, places in enumerate(logits.float().softmax(-1)):
            found[row] += [_rank(place, most) for place in places]
    return {side: _columns(places) for side, places in zip(sides, found, strict=True)}


def _rank(chances: torch.Tensor, most: int) -> list[tuple[int, float]]:
    """(token, probability) of the likeliest, of one place's probabilities (vocabulary,)."""
    least = chances.topk(min(most, len(chances))).values[-1]
    candidates = (chances >= least).nonzero()[
        :, 0
    ]  # more than `most` where the last ones are equally likely; in the order of their ids
    pairs = zip(candidates.tolist(), chances[candidates].tolist(), strict=True)
    return sorted(pairs, key=lambda pair: -pair[1])[:most]


def _columns(places: list[list[tuple[int, float]]]) -> tuple[np.ndarray, np.ndarray]:
    tokens, chances = zip(*(zip(*place, strict=True) for place in places), strict=True)
    return np.array(tokens, np.int32), np.array(chances, np.float32)
