"""The training's progress in the terminal: step, losses, time left."""

import sys
import time

from tqdm import tqdm
from transformers import ProgressCallback


class Progress(ProgressCallback):
    """transformers' own, less what is in the way: it counts from 0 when a run is resumed, writes losses as dictionaries, and fills log files with bars."""

    def on_train_begin(self, args, state, control, **kwargs):
        self.current_step = self._first = state.global_step
        self._begun = time.monotonic()
        if state.global_step:
            print(f"resumed at step {state.global_step}", flush=True)
        self.training_bar = tqdm(
            total=state.max_steps, initial=state.global_step, unit="step", disable=None
        )  # shown on a terminal only

    def on_prediction_step(self, args, state, control, eval_dataloader=None, **kwargs):
        """No second bar for the few rows of the validation."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        done, total = state.global_step, state.max_steps
        left = (time.monotonic() - self._begun) / max(done - self._first, 1) * (total - done)
        for name, text in (("loss", f", {tqdm.format_interval(left)} left"), ("eval_loss", " on test rows")):
            if name in logs:
                tqdm.write(f"step {done}/{total}: loss {float(logs[name]):.3f}{text}")
        sys.stdout.flush()
