"""What a run leaves behind: the adapter, and beside it what it was made from."""

import json
import platform
import time
from collections import Counter
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from newsft.data.rows import Split
from newsft.fingerprints import fingerprint_template
from newsft.models import distributed
from newsft.models.load import ADAPTER, Loaded
from newsft.models.run_record import RUN_FILE
from newsft.paths import short_path
from newsft.recipe import Recipe
from newsft.training.trainer import Trainer

PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets")
# What is kept of every logged step, by our name and the trainer's.
LOGGED = {
    "step": "step",
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "tokens": "num_input_tokens_seen",
}


def describe_run(loaded: Loaded, split: Split, recipe: Recipe) -> dict:
    """What is known of a run before its first step; together with the code it determines the adapter."""
    prompts = Counter(row["system_prompt"] for row in split.train)
    on_gpu = loaded.device.type == "cuda"
    return {
        "recipe": json.loads(recipe.as_json()),
        "system_prompt": prompts.most_common(1)[0][0],
        "base_fingerprint": loaded.fingerprint,
        "template_fingerprint": fingerprint_template(loaded.chat.template),
        "template_day": loaded.chat.day.isoformat() if loaded.chat.is_dated else None,
        "data_fingerprint": split.fingerprint,
        "rows": len(split.train),
        "news_lengths": _measure_news(split.train),
        "processes": distributed.count(),
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "device": torch.cuda.get_device_name() if on_gpu else f"CPU, {torch.get_num_threads()} threads",
    }


def _measure_news(rows: Sequence[dict]) -> list[int]:
    """The characters of the shortest and of the longest news: beyond these the adapter has seen none."""
    lengths = [len(row["user_prompt"]) for row in rows]
    return [min(lengths), max(lengths)]


def gather_weights(trainer: Trainer) -> dict[str, torch.Tensor] | None:
    """The weights, put together where they are divided among processes, for which every process has to call this; None where each has them whole."""
    return trainer.accelerator.get_state_dict(trainer.model) if trainer.is_fsdp_enabled else None


def save_run(
    trainer: Trainer,
    about: dict,
    recipe: Recipe,
    output: Path,
    *,
    seconds: float,
    hub_name: str | None = None,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """The adapter, and beside it what it was made from: recipe, system prompt, fingerprints, loss history, versions, curve.

    `about` is as from `describe_run`, `hub_name` is where it is going to be pushed to, `weights` as from `gather_weights`. What is pushed names no
    folder of this machine: everybody reads it, and who is called what in a home folder is nobody's business.
    """
    told = recipe.public() if hub_name else recipe
    trainer.model.peft_config[ADAPTER].base_model_name_or_path = short_path(told.model)
    trainer.model.save_pretrained(str(output), state_dict=weights)
    (output / "adapter_model.safetensors").chmod(
        0o644
    )  # written with 0600, which a server under another user cannot read
    told.save(output)
    log = trainer.state.log_history
    history = [
        {name: entry[theirs] for name, theirs in LOGGED.items() if theirs in entry} for entry in log if "loss" in entry
    ]
    validation = {
        entry["step"]: entry["eval_loss"] for entry in log if "eval_loss" in entry
    }  # a resumed run repeats a step
    run = about | {
        "recipe": json.loads(told.as_json()),
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
            steps, losses = ([entry[what] for entry in entries] for what in ("step", "loss"))
            axes.plot(steps, losses, style, markersize=3, label=name)
    axes.set(xlabel="optimizer step", ylabel="loss per label token", title="Loss")
    axes.legend()
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
