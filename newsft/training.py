"""LoRA fine-tuning through TRL's trainer with our own encoding: pre-flight report, run, and what is saved beside the adapter."""

import json
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import PrinterCallback, TrainerCallback
from trl import SFTConfig

from newsft import chat, data, memory, processes
from newsft.chat import IGNORED, Encoded
from newsft.checks import check_row
from newsft.collate import collate
from newsft.data import Split
from newsft.errors import UserError, list_rows
from newsft.models import ADAPTER, RUN_FILE, Loaded, fingerprint_template
from newsft.prefix import LEAST_PREFIX, MASKABLE, collate_shared, shared_length
from newsft.recipe import Recipe, short_path
from newsft.trainer import Trainer

PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets")
FAILURES = {
    "one_bos": "more than one beginning-of-text token",
    "labels": "no label: nothing would be trained",
    "end_of_turn": "the end-of-turn token is not the last label: the model would not learn to stop",
    "only_answers": "a token that no answer holds is trained",
    "no_forged": "a message holds a control token",
    "prefix": "the prompt is not an id-prefix of the row: inference would ask for something else",
}


@dataclass(frozen=True)
class Preflight:
    """What the training is about to see, counted before the first step; `failures` stop it."""

    rows: int
    tokens: int
    trained_tokens: int
    longest: int
    shortened: list[int]  # training rows that lost the middle of their news
    steps: int
    failures: list[str]

    def report(self) -> str:
        """A few lines of text for the terminal."""
        share = self.trained_tokens / self.tokens
        lines = [
            f"rows {self.rows}, steps {self.steps}, longest row {self.longest:,} tokens",
            f"tokens {self.tokens:,}, of which trained {self.trained_tokens:,} ({share:.1%}); the rest has the label {IGNORED}",
        ]
        if self.shortened:
            lines.append(f"{len(self.shortened)} row(s) were too long and lost the middle of their news: {list_rows(self.shortened)}")
        lines += [f"FAILED: {failure}" for failure in self.failures] or ["checks passed: one beginning token, labels in every row, the end of turn is trained, the prompt is a prefix of its row"]
        return "\n".join(f"  {line}" for line in lines)


def encode_rows(loaded: Loaded, rows: list[dict], recipe: Recipe, *, first: int = 0) -> list[Encoded]:
    """Every row as tokens and labels, news shortened to the recipe's length; UserError names the rows that cannot fit, counted from `first`."""
    return chat.encode_rows(loaded.tokenizer, [data.row_messages(row) for row in rows], max_length=recipe.max_length, first=first)


def preflight(loaded: Loaded, rows: list[dict], encoded: list[Encoded], recipe: Recipe, *, first: int = 0) -> Preflight:
    """Check the invariants of every row (one BOS, a label, end of turn trained, prompt is an id-prefix); its rows are counted from `first`."""
    failed: dict[str, list[int]] = {}
    shortened = []
    for number, (row, one) in enumerate(zip(rows, encoded, strict=True), first):
        held = check_row(loaded.tokenizer, data.row_messages(row), one)
        if not held["prefix"] and chat.ELLIPSIS in one.text and len(one) <= recipe.max_length < _prompt_length(loaded, row) + sum(label != IGNORED for label in one.labels):
            shortened.append(number)
            held["prefix"] = True  # the prompt of the shortened news is; the whole news would not fit
        for name in (name for name, holds in held.items() if not holds):
            failed.setdefault(FAILURES[name], []).append(number)
    return Preflight(
        rows=len(rows),
        tokens=sum(map(len, encoded)),
        trained_tokens=sum(label != IGNORED for one in encoded for label in one.labels),
        longest=max(map(len, encoded)),
        shortened=shortened,
        steps=recipe.steps(len(rows), processes=processes.count()),
        failures=[f"{what} (rows {list_rows(numbers)})" for what, numbers in failed.items()],
    )


def _prompt_length(loaded: Loaded, row: dict) -> int:
    return len(chat.encode_prompt(loaded.tokenizer, data.row_messages(row)[:-1]))


def build_trainer(loaded: Loaded, encoded: list[Encoded], recipe: Recipe, output: Path, *, validation: Sequence[Encoded] = (), callbacks: Sequence[TrainerCallback] = ()) -> Trainer:
    """TRL's trainer, given rows that are already encoded: it neither tokenizes nor truncates nor masks.

    The loss on the `validation` rows, the mean of the rows' means, is taken before the first step and every `recipe.eval_every` steps.
    """
    pad_id = loaded.tokenizer.pad_token_id if loaded.tokenizer.pad_token_id is not None else loaded.tokenizer.eos_token_id
    shared = shares_prefix(loaded, encoded, recipe)

    def collate_rows(rows: list[dict]) -> dict[str, torch.Tensor]:
        return collate_shared(rows) if shared and len(rows) > 1 else collate(rows, pad_id=pad_id)

    trainer = Trainer(
        model=loaded.model,
        args=_sft_config(loaded, recipe, output, validated=bool(validation), shared=shared, checkpointing=checkpoints_gradients(loaded, encoded, recipe, shared=shared)),
        train_dataset=_as_dataset(encoded),
        eval_dataset=_as_dataset(validation) if validation else None,
        processing_class=loaded.tokenizer,
        data_collator=collate_rows,
        peft_config=_lora_config(recipe),
        callbacks=list(callbacks),
    )
    trainer.remove_callback(PrinterCallback)  # prints raw dicts; `callbacks` say the same in words
    return trainer


def shares_prefix(loaded: Loaded, encoded: Sequence[Encoded], recipe: Recipe) -> bool:
    """Whether an optimizer step's rows go into one sequence; UserError where the recipe insists on it and it cannot be done."""
    if recipe.shared_prefix == "off":
        return False
    attention = loaded.model.config._attn_implementation
    hindrance = None
    if attention not in MASKABLE:
        hindrance = f"the attention implementation {attention} takes no mask of its own"
    elif recipe.rows_per_step < 2:
        hindrance = "a step has one row"
    elif shared_length(encoded) < LEAST_PREFIX:
        hindrance = f"the rows share fewer than {LEAST_PREFIX} tokens at their beginning"
    if recipe.shared_prefix == "on":
        if hindrance:
            raise UserError(f"--shared-prefix is on, but {hindrance}; use auto or off.")
        return True
    return hindrance is None and loaded.device.type != "cpu"  # whose attention is so slow with a mask that a step takes twice the time (benchmarks.training)


def checkpoints_gradients(loaded: Loaded, encoded: Sequence[Encoded], recipe: Recipe, *, shared: bool) -> bool:
    """Whether activations are recomputed: where the recipe leaves it open, only if those of the longest possible step would not fit."""
    if recipe.gradient_checkpointing != "auto":
        return recipe.gradient_checkpointing == "on"
    longest = sorted(map(len, encoded), reverse=True)
    if shared:
        prefix = shared_length(encoded)
        tokens = prefix + sum(length - prefix for length in longest[: recipe.rows_per_step])
    else:
        tokens = longest[0] * recipe.batch_size
    config = loaded.model.config
    return memory.estimate_activations(tokens, layers=config.num_hidden_layers, hidden=config.hidden_size, dtype=loaded.model.dtype) > memory.free_bytes(loaded.device.type)


def choose_precision(loaded: Loaded, recipe: Recipe) -> torch.dtype:
    """The type of the numbers that training multiplies; weights and sums stay in the model's. UserError where bf16 is asked for and has to be imitated."""
    if recipe.precision == "auto" or loaded.model.dtype == torch.bfloat16:
        return loaded.model.dtype
    if loaded.device.type != "cpu" or not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        raise UserError("--precision is bf16, but this machine has no units for it, without which it is hundreds of times slower; use auto.")
    return torch.bfloat16


def _sft_config(loaded: Loaded, recipe: Recipe, output: Path, *, validated: bool, shared: bool, checkpointing: bool) -> SFTConfig:
    on_cpu = loaded.device.type == "cpu"
    dtype = choose_precision(loaded, recipe)
    return SFTConfig(
        output_dir=str(output),
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps,
        per_device_train_batch_size=recipe.rows_per_step if shared else recipe.batch_size,
        gradient_accumulation_steps=1 if shared else recipe.accumulation,
        train_sampling_strategy=recipe.sampling,
        activation_checkpointing=checkpointing,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup_ratio,  # below 1 it is the share of the steps; warmup_ratio is gone
        optim=recipe.optimizer,
        max_grad_norm=recipe.max_grad_norm,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        use_cpu=on_cpu,
        logging_steps=recipe.log_every,
        logging_first_step=True,
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
        report_to="none",
        disable_tqdm=True,
    )


def _as_dataset(encoded: Sequence[Encoded]) -> Dataset:
    return Dataset.from_list([{name: getattr(one, name) for name in ("input_ids", "labels", "attention_mask")} for one in encoded])


def _lora_config(recipe: Recipe) -> LoraConfig:
    return LoraConfig(
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        target_modules=list(recipe.lora_targets),
        bias="none",
        task_type="CAUSAL_LM",
    )


def describe_run(loaded: Loaded, split: Split, recipe: Recipe) -> dict:
    """What is known of a run before its first step; together with the code it determines the adapter."""
    prompts = Counter(row["system_prompt"] for row in split.train)
    return {
        "recipe": json.loads(recipe.as_json()),
        "system_prompt": prompts.most_common(1)[0][0],
        "base_fingerprint": loaded.fingerprint,
        "template_fingerprint": fingerprint_template(loaded.tokenizer),
        "data_fingerprint": split.fingerprint,
        "rows": len(split.train),
        "processes": processes.count(),
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "device": torch.cuda.get_device_name() if loaded.device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads",
    }


def gather_weights(trainer: Trainer) -> dict[str, torch.Tensor] | None:
    """The weights, put together where they are divided among processes, for which every process has to call this; None where each has them whole."""
    return trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None


def save_run(trainer: Trainer, loaded: Loaded, split: Split, recipe: Recipe, output: Path, *, seconds: float, hub_name: str | None = None, weights: dict[str, torch.Tensor] | None = None) -> None:
    """The adapter, and beside it what it was made from: recipe, system prompt, fingerprints, loss history, versions, curve.

    `hub_name` is where it is going to be pushed to, `weights` as from `gather_weights`.
    """
    trainer.model.peft_config[ADAPTER].base_model_name_or_path = short_path(recipe.model)
    trainer.model.save_pretrained(str(output), state_dict=weights)
    (output / "adapter_model.safetensors").chmod(0o644)  # written with 0600, which a server under another user cannot read
    recipe.save(output)
    history = [{"step": entry["step"], "loss": entry["loss"], "learning_rate": entry["learning_rate"]} for entry in trainer.state.log_history if "loss" in entry]
    validation = {entry["step"]: entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry}  # a resumed run repeats a step
    run = describe_run(loaded, split, recipe) | {
        "steps": trainer.state.global_step,
        "seconds": round(seconds, 1),
        "history": history,
        "validation": [{"step": step, "loss": loss} for step, loss in sorted(validation.items())],
        "date": time.strftime("%Y-%m-%d"),
        "hub_name": hub_name,
    }
    (output / RUN_FILE).write_text(json.dumps(run, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    draw_curve(history, run["validation"], output / "loss.png")


def draw_curve(history: list[dict], validation: list[dict], path: Path) -> None:
    """The loss over the steps, of the training rows and of the rows held back, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name, entries, style in (("training rows", history, "o-"), ("test rows", validation, "s--")):
        if entries:
            axes.plot([entry["step"] for entry in entries], [entry["loss"] for entry in entries], style, markersize=3, label=name)
    axes.set(xlabel="optimizer step", ylabel="loss per label token", title="Loss")
    axes.legend()
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
