"""Encoded rows -> one padded batch of tensors."""

from collections.abc import Sequence

import torch

from newsft.chat import IGNORED, Encoded


def collate(rows: Sequence[Encoded | dict], *, pad_id: int) -> dict[str, torch.Tensor]:
    """`input_ids`, `labels` and `attention_mask`, each (rows, longest row), padded on the right.

    Padding is marked by its position: mask 0 and label -100. The pad token's id says nothing, in VARCO it is `!`.
    """
    columns = [row if isinstance(row, dict) else vars(row) for row in rows]
    length = max(len(row["input_ids"]) for row in columns)

    def stack(name: str, filler: int) -> torch.Tensor:
        return torch.tensor([row[name] + [filler] * (length - len(row[name])) for row in columns])

    return {"input_ids": stack("input_ids", pad_id), "labels": stack("labels", IGNORED), "attention_mask": stack("attention_mask", 0)}
