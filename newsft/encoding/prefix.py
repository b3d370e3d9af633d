"""Encoded rows that begin alike -> one sequence: the shared prefix once, then what is each row's own.

All rows of the lesson begin with the same system prompt. In a batch of ordinary rows it is computed once per row; here once per
optimizer step. Positions restart after the prefix, and a mask lets each row see the prefix and itself only, so every label is
predicted from the same tokens at the same positions as in an ordinary batch.
"""

from collections.abc import Sequence

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


def collate_shared(rows: Sequence[Encoded | dict]) -> dict[str, torch.Tensor]:
    """`input_ids`, `labels` and `position_ids`, each (1, tokens), and `attention_mask`, boolean (1, 1, tokens, tokens): [prefix | row | row | ...]."""
    columns, prefix = [_columns(row) for row in rows], shared_length(rows)
    shared = [
        (SHARED, position) for position in range(prefix)
    ]  # each token by the row that owns it and its position there
    places = shared + [
        (number, position) for number, row in enumerate(columns) for position in range(prefix, len(row["input_ids"]))
    ]
    owners, positions = (torch.tensor([column]) for column in zip(*places, strict=True))
    ids, labels = (
        torch.tensor([[columns[max(owner, 0)][name][position] for owner, position in places]])
        for name in ("input_ids", "labels")
    )
    return {"input_ids": ids, "labels": labels, "position_ids": positions, "attention_mask": build_mask(owners)}


def _columns(row: Encoded | dict) -> dict:
    return row if isinstance(row, dict) else vars(row)
