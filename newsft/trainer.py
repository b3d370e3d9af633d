"""TRL's trainer, less two computations that change nothing but the time."""

import torch
from torch.nn import functional
from trl import SFTTrainer

from newsft.chat import IGNORED


class Trainer(SFTTrainer):
    """Same loss and same gradients as its parent's, to rounding; `python -m benchmarks.training` measures the gain.

    - The mask of right padding is not handed to the model: a causal model's tokens see only what stands before them, so no real token sees the padding behind its row, and
      the padding's own outputs have the label -100. With a mask, attention takes a slower path.
    - On the CPU, logits are computed only where a label is predicted. Where there is Triton, TRL's own loss does so already.
    """

    def __init__(self, **settings):
        super().__init__(**settings)
        self.model.register_forward_pre_hook(_drop_mask_of_right_padding, with_kwargs=True)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Sum of the labels' losses divided by `num_items_in_batch`, the labels of all batches of one optimizer step."""
        if return_outputs or inputs["input_ids"].device.type != "cpu" or self.accelerator.num_processes > 1:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        targets = inputs["labels"][:, 1:]  # position t predicts the token at t + 1
        positions = (targets != IGNORED).any(dim=0).nonzero().flatten()
        seen = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**seen, logits_to_keep=positions, use_cache=False).logits
        targets = targets[:, positions]
        count = (targets != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum") / torch.as_tensor(count).clamp(min=1)


def _drop_mask_of_right_padding(model: torch.nn.Module, positional: tuple, named: dict) -> tuple[tuple, dict]:
    mask = named.get("attention_mask")
    if mask is not None and mask.ndim == 2 and bool((mask[:, :-1] >= mask[:, 1:]).all()):  # ones, then zeros
        named = named | {"attention_mask": None}
    return positional, named
