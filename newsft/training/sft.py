"""LoRA fine-tuning through TRL's trainer, on rows that are already encoded."""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig

from newsft.compat import has_bf16_units
from newsft.encoding.collate import collate
from newsft.encoding.row import Encoded
from newsft.errors import UserError
from newsft.models import distributed, memory
from newsft.models.load import ADAPTER, Loaded
from newsft.recipe import Recipe
from newsft.training.tracking import tracking_settings
from newsft.training.trainer import Trainer


def build_trainer(
    loaded: Loaded,
    encoded: list[Encoded],
    recipe: Recipe,
    output: Path,
    *,
    about: dict | None = None,
    validation: Sequence[Encoded] = (),
    callbacks: Sequence[TrainerCallback] = (),
    tracker: str | None = None,
) -> Trainer:
    """TRL's trainer, given rows that are already encoded: it neither tokenizes nor truncates nor masks.

    The loss on the `validation` rows, the mean of the rows' means, is taken before the first step and every `recipe.eval_every` steps.
    `about` (`record.describe_run`) goes into every checkpoint.
    """
    settings = _sft_settings(loaded, encoded, recipe, validated=bool(validation))
    trainer = Trainer(
        about=about,
        model=loaded.model,
        args=SFTConfig(output_dir=str(output), **settings, **tracking_settings(tracker, output)),
        train_dataset=_as_dataset(encoded),
        eval_dataset=_as_dataset(validation) if validation else None,
        processing_class=loaded.chat.tokenizer,
        data_collator=partial(collate, pad_id=loaded.chat.pad_id),
        peft_config=_lora_config(recipe),
        callbacks=list(callbacks),
    )
    adapter = trainer.model.peft_config[ADAPTER]
    adapter.target_modules = sorted(
        adapter.target_modules
    )  # PEFT makes it a set, whose order differs from process to process; sorted, the saved file is always the same
    trainer.remove_callback(PrinterCallback)  # prints raw dicts; `callbacks` say the same in words
    return trainer


def checkpoints_gradients(loaded: Loaded, encoded: Sequence[Encoded], recipe: Recipe) -> bool:
    """Whether activations are recomputed: where the recipe leaves it open, only if those of the longest possible step would not fit."""
    if recipe.gradient_checkpointing != "auto":
        return recipe.gradient_checkpointing == "on"
    tokens = max(map(len, encoded)) * recipe.batch_size
    config = loaded.model.config
    return memory.estimate_activations(
        tokens, layers=config.num_hidden_layers, hidden=config.hidden_size, dtype=loaded.model.dtype
    ) > memory.free_bytes(loaded.device.type)


def choose_precision(loaded: Loaded, recipe: Recipe) -> torch.dtype:
    """The type of the numbers that training multiplies; weights and sums stay in the model's. UserError where bf16 is asked for and has to be imitated."""
    if recipe.precision == "auto" or loaded.model.dtype == torch.bfloat16:
        return loaded.model.dtype
    if loaded.device.type != "cpu" or not has_bf16_units():
        raise UserError(
            "--precision is bf16, but this machine has no units for it, without which it is hundreds of times slower; use auto."
        )
    return torch.bfloat16


def _sft_settings(loaded: Loaded, encoded: Sequence[Encoded], recipe: Recipe, *, validated: bool) -> dict:
    """What SFTConfig is given, apart from where the run is kept and told."""
    on_cpu, dtype = loaded.device.type == "cpu", choose_precision(loaded, recipe)
    steps = recipe.steps(len(encoded), processes=distributed.count())
    return dict(
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        train_sampling_strategy=recipe.sampling,
        activation_checkpointing=checkpoints_gradients(loaded, encoded, recipe),
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        # Below 1 it is the share of the steps, rounded up. The first of them has a learning rate of 0: where it is the only one, nothing would be trained.
        warmup_steps=recipe.warmup_ratio if math.ceil(steps * recipe.warmup_ratio) < steps else 0,
        optim=recipe.optimizer,
        max_grad_norm=recipe.max_grad_norm,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=on_cpu,
        logging_steps=recipe.log_every,
        logging_first_step=True,
        include_num_input_tokens_seen="non_padding",
        save_steps=recipe.save_every,
        eval_strategy="steps" if validated else "no",
        eval_steps=recipe.eval_every,
        eval_on_start=validated,
        per_device_eval_batch_size=1,
        seed=recipe.seed,
        max_length=None,  # TRL's own limit would cut the end of the row, which is the answer
        packing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        dataloader_pin_memory=not on_cpu,
        disable_tqdm=True,
    )


def _as_dataset(encoded: Sequence[Encoded]) -> Dataset:
    return Dataset.from_list(
        [{name: getattr(one, name) for name in ("input_ids", "labels", "attention_mask")} for one in encoded]
    )


def _lora_config(recipe: Recipe) -> LoraConfig:
    return LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.lora_targets),
        bias="none",
        task_type="CAUSAL_LM",
    )
