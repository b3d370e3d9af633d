"""TRL's trainer, less two computations that change nothing but the time, and with checkpoints that a killed run goes on from as if nothing had happened."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from torch.nn import functional
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices
from trl import SFTTrainer

from newsft.compat import TrainerHooks
from newsft.encoding.row import IGNORED
from newsft.models.run_record import RUN_FILE
from newsft.training import checkpoints, packed


class EpochOrder(Sampler):
    """The order of the rows, which depends on seed and epoch alone, so that a resumed run finds it again.

    transformers draws the order of `group_by_length` from the global generator, and a run that is resumed in the middle of an epoch has no way to know its state at the beginning.
    """

    def __init__(self, lengths: Sequence[int], *, seed: int, group: int | None):
        """`group`: rows of one optimizer step, which are of like length; None for an order without regard to length."""
        self.epoch, self._lengths, self._seed, self._group = 0, lengths, seed, group

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self.epoch)
        if self._group:
            return iter(get_length_grouped_indices(self._lengths, self._group, generator=generator))
        return iter(torch.randperm(len(self), generator=generator).tolist())


class Trainer(TrainerHooks, SFTTrainer):
    """Same loss and same gradients as its parent's, to rounding; `python -m benchmarks.training` measures the gain.

    - The mask of right padding is not handed to the model, as attention is slower with one. Nothing changes: in a causal model no token attends to what comes after it, so
      not to the padding either, and the padding's own outputs have the label -100.
    - On the CPU, a batch is computed as one sequence (packed.py), and logits only where a label is predicted. Where there is Triton, TRL's own loss does the latter already.
    """

    def __init__(self, *, about: dict | None = None, **settings):
        """`about` (`record.describe_run`) goes into every checkpoint, which is an adapter that knows its base."""
        super().__init__(**settings)
        self._about = about
        self.begin_clock()
        self._packs = self._computes_loss() and packed.prepare(self.model.get_base_model())
        self.model.register_forward_pre_hook(_drop_mask_of_right_padding, with_kwargs=True)

    def begin_clock(self, earlier: float = 0.0) -> None:
        """From now on count the seconds, behind those that `earlier` processes of the run took."""
        self._begun = time.monotonic() - earlier

    @property
    def seconds(self) -> float:
        """How long the run has trained, in all of its processes one after the other."""
        return time.monotonic() - self._begun

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """Sum of the labels' losses divided by `num_items_in_batch`, the labels of all batches of one optimizer step."""
        if return_outputs or not self._computes_loss():
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if self._packs and _is_padded_on_the_right(inputs["attention_mask"]):
            inputs = packed.pack(inputs)
        targets = inputs["labels"][:, 1:]  # position t predicts the token at t + 1
        positions = (targets != IGNORED).any(dim=0).nonzero().flatten()
        seen = {name: value for name, value in inputs.items() if name != "labels"}
        logits = model(**seen, logits_to_keep=positions, use_cache=False).logits
        targets = targets[:, positions]
        count = (targets != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
        return functional.cross_entropy(
            logits.flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        ) / torch.as_tensor(count).clamp(min=1)

    def _computes_loss(self) -> bool:
        """Whether the loss of a training step is ours."""
        return self.accelerator.device.type == "cpu" and self.accelerator.num_processes == 1

    def create_model_card(self, *args, **settings) -> None:
        """None: the adapter gets its own card in the end."""

    def choose_order(self) -> EpochOrder:
        """The order of the rows, of like length together where the recipe wants it."""
        lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
        by_length = self.args.train_sampling_strategy == "group_by_length"
        rows_per_step = self.args.train_batch_size * self.args.gradient_accumulation_steps
        self._order = EpochOrder(lengths, seed=self.args.seed, group=rows_per_step if by_length else None)
        return self._order

    def begins_epoch(self, epoch: int) -> bool:
        """False after the last step: resumed from its checkpoint, transformers would take one more."""
        self._order.epoch = epoch
        return self.state.global_step < self.state.max_steps

    def staging_path(self) -> str:
        """Where checkpoints are written until they are whole."""
        return str(Path(self.args.output_dir) / checkpoints.STAGING)

    def save_checkpoint(self, write: Callable[[], None]) -> None:
        """Write one aside, without the tokenizer, which the base has, and give it its place."""
        output, step = Path(self.args.output_dir), self.state.global_step
        tokenizer, self.processing_class = self.processing_class, None
        with checkpoints.explained(f"The checkpoint of step {step}", output):
            write()
            self.processing_class = tokenizer
            self.accelerator.wait_for_everyone()  # each process writes the state of its generators
            if self.args.should_save:
                folder = checkpoints.staging_folder(output, step)
                (folder / SAFETENSORS_WEIGHTS_NAME).chmod(
                    0o644
                )  # written with 0600, which a server under another user cannot read
                if self._about:
                    (folder / RUN_FILE).write_text(
                        json.dumps(self._about | {"seconds": round(self.seconds, 1)}, ensure_ascii=False, indent=1)
                        + "\n",
                        encoding="utf-8",
                    )
                checkpoints.publish(output, step)


def _is_padded_on_the_right(mask: torch.Tensor) -> bool:
    return mask.ndim == 2 and bool((mask[:, :-1] >= mask[:, 1:]).all())  # ones, then zeros


def _drop_mask_of_right_padding(model: torch.nn.Module, positional: tuple, named: dict) -> tuple[tuple, dict]:
    mask = named.get("attention_mask")
    if mask is not None and "borders" not in named and _is_padded_on_the_right(mask):
        named = named | {"attention_mask": None}
    return positional, named
