"""Every setting once: a typed field, its default, one line why. Flags, tables and tabs are made from it."""

import argparse
import dataclasses
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsft.errors import UserError
from newsft.paths import ASSETS, public_path, short_path

RECIPE_FILE = "recipe.json"
# Settings that do not change the weights; what model and data hold does, and their fingerprints are compared.
ELSEWHERE = ("name", "model", "data", "adapter", "output", "evaluation", "keep_steps", "max_new_tokens")
SWITCH = ("auto", "on", "off")
# For where no flags can be given, as on a Hugging Face Space.
VARIABLES = {"model": "NEWSFT_MODEL", "adapter": "NEWSFT_ADAPTER"}


def _setting(default: Any, why: str, *, choices: tuple[str, ...] = (), least: int | None = None) -> Any:
    return dataclasses.field(default=default, metadata={"why": why, "choices": choices, "least": least})


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


@dataclass(frozen=True)
class Recipe:
    """One run of the lesson. The defaults are the lesson's; the two recipes below say what differs. UserError for a setting out of its range."""

    name: str = _setting("varco", "the recipe's name")
    model: str = _setting("NCSOFT/Llama-VARCO-8B-Instruct", "base model: hub id or local folder")
    data: str = _setting(
        "iamjoon/finance_news_summarizer", "data set: hub id, folder, or JSONL/CSV/Parquet file with the three columns"
    )
    adapter: str = _setting("llama3-8b-summarizer-ko", "adapter that the page and the evaluation use")
    output: str = _setting("llama3-8b-summarizer-ko", "folder that training writes the adapter and its checkpoints to")
    evaluation: str = _setting("evaluation/varco", "folder of the evaluation that the page shows")
    quantize: str = _setting(
        "none",
        "4bit holds the base's linear layers as NF4 with double quantisation (bitsandbytes): a third of the memory, less exact",
        choices=("none", "4bit"),
    )
    attention: str = _setting(
        "auto",
        "attention implementation; auto is transformers' choice",
        choices=("auto", "sdpa", "eager", "flash_attention_2"),
    )
    precision: str = _setting(
        "auto",
        "numbers that the training multiplies: auto is the model's own type, fp32 on a CPU; bf16 is faster on a CPU with units for it, and less exact",
        choices=("auto", "bf16"),
    )
    test_ratio: float = _setting(0.5, "the first part of the rows, unshuffled, is the test split")
    train_rows: int = _setting(0, "train on the first so many rows of the training half; 0 for all of them", least=0)
    max_length: int = _setting(8192, "tokens; a longer row loses the middle of its news, never its answer", least=1)
    lora_r: int = _setting(8, "rank of the two small matrices that LoRA adds to each target", least=1)
    lora_alpha: int = _setting(32, "the adapter's output is scaled by alpha / r")
    lora_dropout: float = _setting(0.1, "dropout on the adapter's input, in training only")
    lora_targets: tuple[str, ...] = _setting(
        ("q_proj", "v_proj"),
        "the layers that get an adapter: attention's queries and values as in the lesson, or every linear layer, with which the small model repeats itself less often",
    )
    epochs: float = _setting(3, "passes over the training split")
    max_steps: int = _setting(-1, "stop after so many optimizer steps; -1 means all epochs")
    batch_size: int = _setting(2, "rows in one forward pass", least=1)
    accumulation: int = _setting(2, "forward passes in one optimizer step", least=1)
    sampling: str = _setting(
        "random",
        "order of the rows: random, or group_by_length, which puts rows of like length together and so computes less padding",
    )
    learning_rate: float = _setting(1e-4, "step size of AdamW; the lesson's value for 8 B parameters")
    schedule: str = _setting("constant_with_warmup", "the lesson's `constant` ignores the warm-up that it asks for")
    warmup_ratio: float = _setting(0.03, "share of the steps over which the learning rate rises")
    optimizer: str = _setting("adamw_torch_fused", "AdamW in one fused kernel")
    max_grad_norm: float = _setting(0.3, "longer gradients are scaled down to this norm")
    gradient_checkpointing: str = _setting(
        "auto",
        "recompute activations in the backward pass: slower, needs less memory; auto: where the longest step would not fit without",
        choices=SWITCH,
    )
    log_every: int = _setting(10, "steps between two points of the loss curve", least=1)
    save_every: int = _setting(50, "steps between two checkpoints", least=1)
    eval_rows: int = _setting(
        12, "first rows of the test split whose loss is the validation line of the curve; 0 for none", least=0
    )
    eval_every: int = _setting(50, "steps between two points of the validation line", least=1)
    keep_steps: tuple[int, ...] = _setting(
        (0, 10, 25, 50, 100, 200),
        "steps whose adapter is kept in half precision, to see on the page how it grows; the last step's is the adapter itself",
    )
    max_new_tokens: int = _setting(1024, "longest answer, in tokens", least=1)
    seed: int = _setting(42, "seed of the adapter's first values, of the dropout and of the order of the rows")

    def __post_init__(self):
        checks = [
            ("test_ratio", 0 < self.test_ratio < 1, "it must lie between 0 and 1, such as 0.5"),
            ("warmup_ratio", 0 <= self.warmup_ratio < 1, "it is the share of the steps, 0 or more and below 1"),
            ("learning_rate", 0 < self.learning_rate < math.inf, "it must be above 0, or nothing would be trained"),
            ("max_steps", self.max_steps > 0 or self.max_steps == -1, "it must be at least 1, or -1 for all epochs"),
            ("epochs", self.epochs > 0 or self.max_steps > 0, "it must be above 0, or give --max-steps"),
            ("lora_targets", bool(self.lora_targets), "name at least one layer, such as q_proj"),
            ("keep_steps", all(step >= 0 for step in self.keep_steps), "give steps from 0, or none at all"),
        ]
        for field in dataclasses.fields(self):
            value, choices, least = getattr(self, field.name), field.metadata["choices"], field.metadata["least"]
            checks += [
                (field.name, not choices or value in choices, f"choose one of {', '.join(choices)}"),
                (field.name, least is None or value >= least, f"it must be at least {least}"),
            ]
        for name, holds, remedy in checks:
            if not holds:
                raise UserError(f"{_flag(name)} is {getattr(self, name)}; {remedy}.")

    @property
    def rows_per_step(self) -> int:
        """Rows behind one optimizer step."""
        return self.batch_size * self.accumulation

    def steps(self, rows: int, *, processes: int = 1) -> int:
        """Optimizer steps for `rows` training rows, a step's rows taken by each of the `processes`; the last step of an epoch may be a smaller one."""
        if self.max_steps > 0:
            return self.max_steps
        batches = -(-rows // (self.batch_size * processes))
        return math.ceil(self.epochs * -(-batches // self.accumulation))

    def as_json(self) -> str:
        """The settings as they are written beside the adapter."""
        settings = {
            name: short_path(value) if isinstance(value, str) else value
            for name, value in dataclasses.asdict(self).items()
        }
        return json.dumps(settings, ensure_ascii=False, indent=2) + "\n"

    def public(self) -> "Recipe":
        """The recipe as strangers may read it: of a place on this machine outside the project only the last part (`paths.public_path`)."""
        settings = dataclasses.asdict(self)
        return dataclasses.replace(
            self, **{name: public_path(value) for name, value in settings.items() if isinstance(value, str)}
        )

    def save(self, folder: Path) -> None:
        """Write the recipe beside the adapter."""
        (folder / RECIPE_FILE).write_text(self.as_json(), encoding="utf-8")


LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")  # a Llama layer's matrices

RECIPES = {
    "mini": Recipe(
        name="mini",
        model=str(ASSETS / "mini"),
        data=str(ASSETS / "news.jsonl"),
        adapter=str(ASSETS / "mini-news"),
        output="mini-news",
        evaluation=str(ASSETS / "mini-news" / "evaluation"),
        max_length=4096,
        lora_dropout=0.0,  # on a CPU it would be a fifth of the time, and the choosing set did not ask for it (benchmarks/LOG.md)
        lora_targets=LINEAR,  # more answers can be read and fewer go in a circle (benchmarks/LOG.md)
        sampling="group_by_length",  # a CPU feels the padding
        learning_rate=4e-4,  # a model a thousand times smaller has to move further in the same 372 steps; at 1e-3 it learns its rows by heart (benchmarks/LOG.md)
        schedule="linear",  # so that the last steps settle; what it brought on which base: benchmarks/LOG.md
        max_new_tokens=512,  # the longest gold answer has 331
    ),
    "varco": Recipe(),
}
DEFAULT_RECIPE = "mini"


def add_flags(parser: argparse.ArgumentParser, *, only: tuple[str, ...] | None = None) -> None:
    """A flag for every setting (or for those in `only`), with the reason as its help."""
    parser.add_argument(
        "--recipe",
        choices=sorted(RECIPES),
        help=f"the settings to start from; the flags below change single ones (default: {DEFAULT_RECIPE})",
    )
    for field in dataclasses.fields(Recipe):
        if field.name == "name" or (only is not None and field.name not in only):
            continue
        values = ", ".join(f"{name}: {_display(getattr(recipe, field.name))}" for name, recipe in RECIPES.items())
        kind: dict[str, Any] = {"type": type(field.default)}
        if field.metadata["choices"]:
            kind = {"choices": field.metadata["choices"]}
        elif isinstance(field.default, tuple):
            kind = {"nargs": "*", "type": type(field.default[0])}
        elif field.name == "epochs":
            kind = {"type": float}
        variable = f"; without --recipe also {VARIABLES[field.name]}" if field.name in VARIABLES else ""
        parser.add_argument(
            _flag(field.name),
            default=None,
            help=f"{field.metadata['why']} ({values}{variable})".replace("%", "%%"),
            **kind,
        )


def from_flags(arguments: argparse.Namespace) -> Recipe:
    """The chosen recipe with the given flags in place of its settings; UserError for a setting out of its range.

    Where no recipe is named, the environment's variables stand in for their flags, and NEWSFT_MODEL also chooses the recipe
    that is made for that model.
    """
    given = {} if arguments.recipe else _from_environment()
    recipe = (
        RECIPES[arguments.recipe]
        if arguments.recipe
        else _recipe_of(given.get("model") if vars(arguments).get("model") is None else None)
    )
    for field in dataclasses.fields(Recipe):
        value = vars(arguments).get(field.name)
        if value is not None and field.name != "name":
            given[field.name] = tuple(value) if isinstance(value, list) else value
    return dataclasses.replace(recipe, **given)


def to_flags(recipe: Recipe) -> list[str]:
    """The flags that make this recipe: the one that it starts from, and every setting that differs from that one's."""
    start = RECIPES[recipe.name]
    flags = ["--recipe", recipe.name]
    for field in dataclasses.fields(Recipe):
        value = getattr(recipe, field.name)
        if field.name != "name" and value != getattr(start, field.name):
            flags += [_flag(field.name), *map(str, value if isinstance(value, tuple) else [value])]
    return flags


def from_record(settings: dict) -> Recipe:
    """The recipe that a run's record holds; what it does not say, as records of earlier versions, is as by default."""
    held = {field.name: settings[field.name] for field in dataclasses.fields(Recipe) if field.name in settings}
    return Recipe(**{name: tuple(value) if isinstance(value, list) else value for name, value in held.items()})


def _from_environment() -> dict[str, str]:
    return {name: os.environ[variable] for name, variable in VARIABLES.items() if os.environ.get(variable, "").strip()}


def _recipe_of(model: str | None) -> Recipe:
    return next((recipe for recipe in RECIPES.values() if recipe.model == model), RECIPES[DEFAULT_RECIPE])


def _display(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return short_path(str(value))
