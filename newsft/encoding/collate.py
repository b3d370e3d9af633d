"""Encoded rows -> one padded batch, as tensors for the trainer and as rows for the eye."""

from collections.abc import Sequence

import torch

from newsft.encoding.row import Encoded


def collate(rows: Sequence[Encoded | dict], *, pad_id: int) -> dict[str, torch.Tensor]:
    """TRL's own collator: `input_ids`, `labels` and `attention_mask`, each (rows, longest row), padded on the right.

    Padding is marked by its position: mask 0 and label -100. The pad token's id says nothing, in VARCO it is `!`. With `pad_id=0`:

        input_ids [5, 0, 7] and [5, 6, 7, 8]              ->  [[5, 0, 7, 0], [5, 6, 7, 8]]
        labels    [-100, 0, 7] and [-100, -100, 7, 8]     ->  [[-100, 0, 7, -100], [-100, -100, 7, 8]]
        attention_mask                                        [[1, 1, 1, 0], [1, 1, 1, 1]]
    """
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling  # half a second, which answering does not need

    return DataCollatorForLanguageModeling(pad_token_id=pad_id)(
        [row if isinstance(row, dict) else vars(row) for row in rows]
    )


def pad_batch(rows: Sequence[Encoded], *, pad_id: int) -> list[Encoded]:
    """The batch of `collate` as rows of equal length that know where each token comes from; padding has the origin `padding`."""
    batch = collate(rows, pad_id=pad_id)
    padded = []
    for row, ids, labels, mask in zip(
        rows, *(batch[name].tolist() for name in ("input_ids", "labels", "attention_mask")), strict=True
    ):
        missing = len(ids) - len(row)
        padded.append(
            Encoded.from_spans(
                row.text,
                ids,
                labels,
                mask,
                row.origins + ["padding"] * missing,
                row.spans + [(len(row.text), len(row.text))] * missing,
            )
        )
    return padded
