"""Training steps of the lesson's recipe on a checkpoint of the 8B shape: the lesson's settings, TRL's padding-free batches, and ours.

python -m benchmarks.varco8b                            writes the checkpoint, once
python -m benchmarks.train_gpu [--steps 10] [--runs 5]
python -m benchmarks.train_gpu --trial                  on any CPU, under a minute: that it runs to its end; its figures say nothing of a GPU
"""

import gc
import json
import math
import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from benchmarks.flags import Flags
from benchmarks.result import print_result
from benchmarks.training import PlainTrainer
from benchmarks.varco8b import write_checkpoint
from newsft.encoding.row import IGNORED, Encoded
from newsft.models import memory
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from newsft.training import sft
from newsft.training.trainer import Trainer

# The real data's lengths: median 1,563, mean 1,635, longest 5,907 tokens, of which the same 765 come first in every row.
MEDIAN, SPREAD, SHORTEST, LONGEST, PREFIX, ANSWER = 1_563, 0.3, 900, 5_907, 765, 240
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}  # dense bf16, by the makers' data sheets


WAYS = {
    "lesson": (PlainTrainer, {"gradient_checkpointing": "on"}),
    "padding_free": (
        PlainTrainer,
        {"gradient_checkpointing": "off", "attention": "flash_attention_2"},
    ),
    "ours": (Trainer, {"gradient_checkpointing": "auto"}),
    "four_bits": (Trainer, {"gradient_checkpointing": "auto", "quantize": "4bit"}),
}


def draw_rows(count: int, *, shrink: int = 1, longest: bool = False, seed: int = 1) -> list[Encoded]:
    """Rows of random tokens with the real data's lengths or, all of them, that of its longest row, divided by `shrink`."""
    rng = random.Random(seed)
    prefix, rows = rng.choices(range(100, 100_000), k=PREFIX // shrink), []
    for _ in range(count):
        drawn = min(max(round(rng.lognormvariate(math.log(MEDIAN), SPREAD)), SHORTEST), LONGEST)
        length = (LONGEST if longest else drawn) // shrink
        ids, answer = prefix + rng.choices(range(100, 100_000), k=length - len(prefix)), ANSWER // shrink
        rows.append(Encoded("", ids, [IGNORED] * (length - answer) + ids[-answer:], [1] * length))
    return rows


def time_training(way: str, checkpoint: Path, rows: list[Encoded], steps: int) -> dict:
    """Seconds per optimizer step after two that warm up, and the peak memory; both are for rows of the same step sizes."""
    trainer_class, settings = WAYS[way]
    recipe = replace(
        RECIPES["varco"], model=str(checkpoint), max_steps=steps + 2, save_every=10**6, log_every=10**6, **settings
    )
    begun, marks = time.perf_counter(), []
    loaded = load_base(recipe.model, attention=recipe.attention, quantize=recipe.quantize)
    load_seconds = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder, patch.object(sft, "Trainer", trainer_class):
        trainer = sft.build_trainer(loaded, rows, recipe, Path(folder), callbacks=[])
        if way == "padding_free":
            trainer.data_collator = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=True)
        training_step = trainer.training_step

        def marked(*positional, **named):
            if trainer.state.global_step == 2 and not marks:
                _synchronise()
                marks.append(time.perf_counter())
            return training_step(*positional, **named)

        trainer.training_step = marked
        trainer.train()
        _synchronise()
        seconds = (time.perf_counter() - marks[0]) / steps
    peak = round(torch.cuda.max_memory_allocated() / 1e9, 1) if torch.cuda.is_available() else None
    if torch.cuda.is_available():
        del trainer, loaded
        gc.collect()  # they hold one another: the next way would be measured beside this one's weights
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    measured = {"way": way, "s_per_step": seconds, "peak_gb": peak, "load_s": round(load_seconds, 1)}
    print(json.dumps(measured), flush=True)  # as it comes: a run that is cut off still tells
    return measured


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure(checkpoint: Path, rows: list[Encoded], *, ways: list[str], steps: int, runs: int) -> dict:
    """The medians of alternating runs."""
    measured = [{way: time_training(way, checkpoint, rows, steps) for way in ways} for _ in range(runs)]
    seconds = {way: statistics.median(run[way]["s_per_step"] for run in measured) for way in ways}
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    parameters = memory.estimate_weights(checkpoint, dtype=torch.bfloat16, quantize="none").parameters
    # A frozen weight costs 2 operations a token forward and 2 backward; its own gradient is not computed.
    flops = 4 * parameters * 4 * statistics.fmean(map(len, rows))  # of four rows
    peak = next((value for card, value in PEAK_FLOPS.items() if card in name), None)
    result = {
        "device": name,
        "parameters": parameters,
        "s_per_step": {way: round(value, 3) for way, value in seconds.items()},
        "peak_gb": {way: measured[0][way]["peak_gb"] for way in ways},
        "load_s": {way: measured[0][way]["load_s"] for way in ways},
    }
    if "ours" in seconds:
        result["speedup"] = {way: round(value / seconds["ours"], 2) for way, value in seconds.items() if way != "ours"}
    result["mfu"] = {way: round(flops / value / peak, 3) for way, value in seconds.items()} if peak else None
    return result | {"rows_per_step": 4, "steps": steps, "runs": runs}


def main() -> None:
    """Print the result and, last, one JSON line."""
    parser = Flags(__doc__, trial=True)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/varco8b"))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=WAYS,
        default=["lesson", "padding_free", "ours"],
        help="padding_free needs the package flash-attn, four_bits bitsandbytes",
    )
    parser.add_argument(
        "--longest", action="store_true", help="every row as long as the longest: time and memory of the worst step"
    )
    parser.add_argument("--shrink", type=int, default=1, help="divide the rows' lengths by so much")
    parser.add_argument(
        "--trial",
        action="store_true",
        help="a tiny checkpoint, rows a sixteenth as long, one step, one run, without padding_free",
    )
    arguments = parser.parse_args()
    if not arguments.trial:
        print_result(
            measure(
                arguments.checkpoint,
                draw_rows(4 * (arguments.steps + 2), shrink=arguments.shrink, longest=arguments.longest),
                ways=arguments.ways,
                steps=arguments.steps,
                runs=arguments.runs,
            )
        )
        return
    with tempfile.TemporaryDirectory() as folder:
        tiny = write_checkpoint(Path(folder), hidden=64, layers=2, heads=4, shard="20MB", dtype=torch.bfloat16)
        ways = [way for way in arguments.ways if way != "padding_free"]
        print_result(measure(tiny, draw_rows(4 * 3, shrink=16), ways=ways, steps=1, runs=1) | {"trial": True})


if __name__ == "__main__":
    main()
