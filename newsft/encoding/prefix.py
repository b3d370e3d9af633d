"""Encoded rows that begin alike -> one sequence: the shared prefix once, then what is each row's own.

All rows of the lesson begin with the same system prompt. In a batch of ordinary rows it is computed once per row; here once per
optimizer step. Positions restart after the prefix, and a mask lets each row see the prefix and itself only, so every label is
predicted from the same tokens at the same positions as in an ordinary batch.
"""

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise

import torch

from newsft.encoding.row import IGNORED, Encoded

LEAST_PREFIX = 32  # shared tokens below which a mask costs more than it saves
MASKABLE = ("sdpa", "eager")  # attention implementations that take a mask of our own; flash attention takes none
SHARED = -1  # the owner of the prefix's tokens, which stand in every row


def shared_length(rows: Sequence[Encoded | dict]) -> int:
    """How many leading tokens the rows share, before the first token that any row is trained on.

    Each row keeps at least one token of its own, and its first own token is no label: its prediction would be made at a shared token, once for all rows.
    """
    columns = [_columns(row) for row in rows]
    length = min(len(row["input_ids"]) - 1 for row in columns)
    for row in columns:
        trained = next((place for place, label in enumerate(row["labels"]) if label != IGNORED), len(row["labels"]))
        length = min(length, max(trained - 1, 0))
    first = columns[0]["input_ids"]
    for row in columns[1:]:
        length = next((place for place in range(length) if row["input_ids"][place] != first[place]), length)
    return length


def build_mask(owners: torch.Tensor) -> torch.Tensor:
    """Boolean (..., 1, tokens, tokens): what each token sees, from the `owners` (..., tokens)."""
    own = (owners[..., :, None] == owners[..., None, :]) | (owners[..., None, :] == SHARED)
    return (own & torch.ones_like(own).tril())[..., None, :, :]


def join(rows: Sequence[Encoded | dict]) -> tuple[dict[str, torch.Tensor], tuple[int, ...]]:
    """`input_ids`, `labels` and `position_ids`, each (1, tokens): [prefix | row | row | ...]; and where prefix and rows end."""
    columns, prefix = [_columns(row) for row in rows], shared_length(rows)
    joined = {
        name: columns[0][name][:prefix] + list(chain.from_iterable(row[name][prefix:] for row in columns))
        for name in ("input_ids", "labels")
    }
    own = [range(prefix, len(row["input_ids"])) for row in columns]
    joined["position_ids"] = list(chain(range(prefix), *own))
    borders = tuple(accumulate(map(len, own), initial=prefix))
    return {name: torch.tensor([column]) for name, column in joined.items()}, borders


def collate_shared(rows: Sequence[Encoded | dict]) -> dict[str, torch.Tensor]:
    """The sequence of `join` as a batch, with `attention_mask`, boolean (1, 1, tokens, tokens)."""
    batch, borders = join(rows)
    lengths = torch.tensor([borders[0], *(end - start for start, end in pairwise(borders))])
    owners = torch.arange(SHARED, len(rows)).repeat_interleave(lengths)
    return batch | {"attention_mask": build_mask(owners[None])}


def _columns(row: Encoded | dict) -> dict:
    return row if isinstance(row, dict) else vars(row)
