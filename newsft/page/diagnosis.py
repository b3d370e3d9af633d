"""What someone who runs the page can paste into an issue: versions, hardware, fingerprints, memory, cache places, one comparison.

python app.py --check
"""

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import psutil
import torch
from huggingface_hub.constants import HF_HUB_CACHE
from platformdirs import user_cache_path

from newsft.data.rows import Split
from newsft.encoding import llama3
from newsft.evaluation.answer import read_answer
from newsft.inference.receipt import write_receipt
from newsft.inference.types import Engine
from newsft.models.memory import GB

PACKAGES = ("torch", "transformers", "tokenizers", "peft", "trl", "accelerate", "datasets", "gradio", "huggingface-hub")
Line = tuple[str, object]


def print_diagnosis(engine: Engine, split: Split) -> bool:
    """Print everything, the slow part last; whether the comparison of each adapter ran and its receipt is without alarm."""
    for name, value in (*describe_machine(), *describe_places(), *describe_models(engine, split)):
        print(f"{name:18} {value}", flush=True)
    shortest = min(split.test, key=lambda row: len(row["user_prompt"]))  # others may be too long to be pasted
    fine = True
    for adapter in [info.name for info in engine.adapters] or [None]:
        lines, holds = try_comparison(engine, shortest, adapter=adapter)
        for name, value in lines:
            print(f"{name:18} {value}", flush=True)
        fine = fine and holds
    return fine


def describe_machine() -> Iterator[Line]:
    """Versions, processor, memory and GPUs."""
    yield "system", f"{platform.platform()}, Python {platform.python_version()}"
    yield "packages", ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield "processor", f"{_processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads"
    memory, own = psutil.virtual_memory(), psutil.Process().memory_info().rss
    yield (
        "memory",
        f"{memory.available / GB:.1f} of {memory.total / GB:.1f} GB are free, this process has {own / GB:.2f} GB",
    )
    for number in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(number)
        yield f"GPU {number}", f"{torch.cuda.get_device_name(number)}, {free / GB:.1f} of {total / GB:.1f} GB are free"
    if not torch.cuda.is_available():
        yield "GPU", "none"


def describe_places() -> Iterator[Line]:
    """Where files are cached, and how much room is left there."""
    temporary = Path(tempfile.gettempdir())
    for name, folder in {
        "hub cache": Path(HF_HUB_CACHE),
        "tokenizer cache": user_cache_path("newsft") / llama3.CACHE,
        "page files": Path(os.environ.get("GRADIO_TEMP_DIR", temporary / "gradio")),
        "temporary files": temporary,
    }.items():
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        state = ("" if folder.exists() else ", not there yet") + ("" if os.access(there, os.W_OK) else ", NOT writable")
        yield name, f"{_without_home(folder)}, {shutil.disk_usage(there).free / GB:.1f} GB are free{state}"


def describe_models(engine: Engine, split: Split) -> Iterator[Line]:
    """The models and the rows, with the fingerprints by which they are told apart."""
    models = engine.models
    yield "loaded", models.description
    yield "base", f"fingerprint {models.base_fingerprint or 'unknown: another server has the weights'}"
    for info in engine.adapters:
        base, data = ((info.run or {}).get(f"{what}_fingerprint", "unknown") for what in ("base", "data"))
        yield "adapter", f"{info.name}: fingerprint {info.fingerprint}, trained on base {base} and data {data}"
    yield "data", f"fingerprint {split.fingerprint}, {len(split.rows)} rows, {len(split.test)} of them for the test"
    yield "decoding", ", ".join(f"{name} {value}" for name, value in engine.decoding.items())


def try_comparison(engine: Engine, row: dict, *, adapter: str | None = None) -> tuple[list[Line], bool]:
    """The base's and an adapter's answers to a row's article, in figures; whether they came and the receipt has no alarm. Raises UserError as the page would."""
    begun = time.monotonic()
    try:
        *_, last = engine.compare(row["user_prompt"], system_prompt=row["system_prompt"], adapter=adapter)
    except (RuntimeError, MemoryError) as error:
        return [("comparison", f"FAILED: {error}")], False
    beside = f"{adapter}: " if adapter else ""
    lines: list[Line] = [
        ("comparison", f"{beside}{len(last.prompt.ids)} tokens of prompt, {time.monotonic() - begun:.1f} s")
    ]
    for side, answer in last.answers.items():
        how = f"FAILED: {answer.error}" if answer.error else f"{answer.reason}, {read_answer(answer.text).reading}"
        lines.append((f"  {side}", f"{answer.tokens} tokens in {answer.seconds:.1f} s, {how}"))
    receipt = write_receipt(engine, last)
    apart = "unknown" if receipt.difference is None else f"{receipt.difference['largest']:.3f}"
    if last.server_tokens:
        lines.append(("  server", f"counts {', '.join(map(str, last.server_tokens.values()))} tokens of prompt"))
    alarm = f"ALARM: {', '.join(receipt.alarms)}" if receipt.alarms else "no alarm"
    lines.append(("  receipt", f"largest difference of the first logits {apart}, {alarm}"))
    return lines, not receipt.alarms and not any(answer.error for answer in last.answers.values())


def _processor() -> str:
    try:  # platform.processor() is empty or names the architecture only on most Linux systems
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _without_home(path: Path) -> str:
    # The output is pasted into issues; the home folder would tell the user's name.
    return str(path).replace(str(Path.home()), "~", 1) if path.is_relative_to(Path.home()) else str(path)
