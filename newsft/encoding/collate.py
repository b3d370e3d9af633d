"""Encoded rows -> one padded batch, as tensors for the trainer and as rows for the eye."""

from collections.abc import Sequence

import torch

from newsft.encoding.chat import IGNORED, Encoded


def collate(rows: Sequence[Encoded | dict], *, pad_id: int) -> dict[str, torch.Tensor]:
    """`input_ids`, `labels` and `attention_mask`, each (rows, longest row), padded on the right.

    Padding is marked by its position: mask 0 and label -100. The pad token's id says nothing, in VARCO it is `!`.
    """
    columns = [row if isinstance(row, dict) else vars(row) for row in rows]
    length = max(len(row["input_ids"]) for row in columns)

    def stack(name: str, filler: int) -> torch.Tensor:
        return torch.tensor([row[name] + [filler] * (length - len(row[name])) for row in columns])

    return {"input_ids": stack("input_ids", pad_id), "labels": stack("labels", IGNORED), "attention_mask": stack("attention_mask", 0)}


def pad_batch(rows: Sequence[Encoded], *, pad_id: int) -> list[Encoded]:
    """The batch of `collate` as rows of equal length that know where each token comes from; padding has the origin `padding`."""
    batch = collate(rows, pad_id=pad_id)
    padded = []
    for row, ids, labels, mask in zip(rows, *(batch[name].tolist() for name in ("input_ids", "labels", "attention_mask")), strict=True):
        missing = len(ids) - len(row)
        padded.append(Encoded.from_spans(row.text, ids, labels, mask, row.origins + ["padding"] * missing, row.spans + [(len(row.text), len(row.text))] * missing))
    return padded
