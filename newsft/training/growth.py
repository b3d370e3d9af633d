"""Keeps the adapter as it is at some steps of the training, so that one can see later what it answered then."""

from collections.abc import Collection
from pathlib import Path

from peft import get_peft_model_state_dict
from transformers import TrainerCallback

from newsft.models import distributed
from newsft.models.growth import save_step
from newsft.models.load import ADAPTER
from newsft.training.checkpoints import explained
from newsft.training.record import gather_weights
from newsft.training.trainer import Trainer


class KeepGrowth(TrainerCallback):
    """Writes the LoRA matrices of the chosen steps into the output folder. The last step's are the adapter, which is saved anyway."""

    def __init__(self, trainer: Trainer, output: Path, steps: Collection[int], *, about: dict):
        """`about` is as from `record.describe_run`."""
        self._trainer, self._output, self._steps, self._about = trainer, output, frozenset(steps), about

    def on_train_begin(self, args, state, control, **kwargs):
        """Step 0, where B is zero; a resumed run has it already."""
        if state.global_step == 0:
            self._keep(0, state.max_steps)

    def on_step_end(self, args, state, control, **kwargs):
        """Any later step."""
        self._keep(state.global_step, state.max_steps)

    def _keep(self, step: int, last: int) -> None:
        if step not in self._steps or step >= last:
            return
        weights = gather_weights(self._trainer)  # every process has to take part in it
        if distributed.is_main():
            found = get_peft_model_state_dict(
                self._trainer.model, state_dict=weights, adapter_name=ADAPTER, save_embedding_layers=False
            )
            with explained(f"The adapter of step {step}", self._output):
                save_step(self._output, step, found, self._about)
