"""A padded batch computed as one sequence: nothing for the padding, and the beginning that its rows share once.

Every row sees what it would see in the batch, at the same positions, so loss and gradients are the batch's, to rounding.
"""

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise

import torch
from transformers import AttentionInterface, AttentionMaskInterface, LlamaForCausalLM, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from newsft.compat import attention_of
from newsft.encoding.row import IGNORED

BY_ROW = "newsft_by_row"


def attend_by_row(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    borders: tuple[int, ...] | None = None,
    **settings,
) -> tuple[torch.Tensor, None]:
    """transformers' own attention, for each row of `join` by itself, the prefix before it; each of (1, heads, tokens, width).

    Causality is the kernel's, which a mask over all rows would make several times slower. Without `borders` it is one ordinary call.
    """
    if borders is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    prefix, seen = borders[0], []
    for start, end in pairwise(borders):
        own = (torch.cat([one[:, :, :prefix], one[:, :, start:end]], dim=2) for one in (query, key, value))
        row = sdpa_attention_forward(module, *own, None, **settings)[0]
        seen.append(row[:, prefix:] if seen else row)  # what the prefix sees is the same for all
    return torch.cat(seen, dim=1), None


def shared_length(rows: Sequence[dict]) -> int:
    """How many leading tokens the rows share, before the first token that any row is trained on.

    Each row keeps at least one token of its own, and its first own token is no label: its prediction would be made at a shared token, once for all rows.
    """
    length = min(len(row["input_ids"]) - 1 for row in rows)
    for row in rows:
        trained = next((place for place, label in enumerate(row["labels"]) if label != IGNORED), len(row["labels"]))
        length = min(length, max(trained - 1, 0))
    first = rows[0]["input_ids"]
    for row in rows[1:]:
        length = next((place for place in range(length) if row["input_ids"][place] != first[place]), length)
    return length


def join(rows: Sequence[dict]) -> tuple[dict[str, torch.Tensor], tuple[int, ...]]:
    """`input_ids`, `labels` and `position_ids`, each (1, tokens): [prefix | row | row | ...]; and where prefix and rows end."""
    prefix = shared_length(rows)
    joined = {
        name: rows[0][name][:prefix] + list(chain.from_iterable(row[name][prefix:] for row in rows))
        for name in ("input_ids", "labels")
    }
    own = [range(prefix, len(row["input_ids"])) for row in rows]
    joined["position_ids"] = list(chain(range(prefix), *own))
    borders = tuple(accumulate(map(len, own), initial=prefix))
    return {name: torch.tensor([column]) for name, column in joined.items()}, borders


def prepare(model: PreTrainedModel) -> bool:
    """Make a model ready for `pack`; False where it is none of Llama's kind, or its attention is another one than PyTorch's.

    Other kinds look back less far than their rows are long, or give their layers no word about the borders.
    """
    if not isinstance(model, LlamaForCausalLM) or attention_of(model.config) not in ("sdpa", BY_ROW):
        return False
    AttentionInterface.register(BY_ROW, attend_by_row)
    AttentionMaskInterface.register(BY_ROW, sdpa_mask)
    model.set_attn_implementation(BY_ROW)
    return True


def pack(batch: dict[str, torch.Tensor]) -> dict:
    """A batch of `collate`, padded on the right, as one sequence, and its `borders`, for a model that is `prepare`d.

    `input_ids`, `labels` and `position_ids` are (1, tokens), and so is `attention_mask`: ones, without which transformers builds a mask from the positions.
    """
    lengths = batch["attention_mask"].sum(dim=1).tolist()
    columns = {name: batch[name].tolist() for name in ("input_ids", "labels")}
    rows = [
        {name: column[number][:length] for name, column in columns.items()} for number, length in enumerate(lengths)
    ]
    joined, borders = join(rows)
    return joined | {"attention_mask": torch.ones_like(joined["input_ids"]), "borders": borders}
