"""Two answers of 1,024 tokens to a prompt of 1,560 on a checkpoint of the 8B shape: two models and two `generate` calls, and ours.

python -m benchmarks.varco8b                    writes the checkpoint, once
python -m benchmarks.answers_gpu [--runs 5]
"""

import json
import math
import random
import statistics
import tempfile
import time
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model

from benchmarks.flags import Flags
from benchmarks.result import print_result
from benchmarks.varco8b import write_checkpoint
from newsft.inference.decoder import Decoder, Job
from newsft.inference.types import Request
from newsft.models import memory
from newsft.models.load import ADAPTER, load_base

PROMPT, PREFIX = 1_560, 765
BANDWIDTH = {"H100": 3.35e12, "H200": 4.8e12, "A100": 2.04e12}  # bytes a second, by the maker's data sheets


def write_adapter(checkpoint: Path, folder: Path) -> None:
    """A LoRA adapter of the recipe's shape whose B is not zero."""
    model = get_peft_model(
        load_base(str(checkpoint)).model,
        LoraConfig(r=8, lora_alpha=32, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"),
    )
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    model.save_pretrained(folder)


def measure(answer) -> tuple[float, float]:
    """Seconds, and the peak memory in GB."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    begun = time.perf_counter()
    answer()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - begun, torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else float(
        "nan"
    )


def known(value: float, digits: int) -> float | None:
    """The value, rounded; None where it was not measured, as JSON has no NaN."""
    return None if math.isnan(value) else round(value, digits)


def time_generate(checkpoint: Path, adapter: Path, ids: list[int], count: int, runs: int) -> tuple[float, float]:
    """The lesson's way: a second copy of the base for the tuned model, one eager `generate` call each."""
    base = load_base(str(checkpoint)).model
    tuned = PeftModel.from_pretrained(load_base(str(checkpoint)).model, adapter).eval()
    prompt = torch.tensor([ids], device=base.device)
    settings = {
        "attention_mask": torch.ones_like(prompt),
        "min_new_tokens": count,
        "max_new_tokens": count,
        "do_sample": False,
        "pad_token_id": 0,
    }

    def answer() -> None:
        for model in (base, tuned):
            model.generate(input_ids=prompt, **settings)

    return _median(answer, runs)


def time_ours(checkpoint: Path, adapter: Path, ids: list[int], count: int, runs: int) -> tuple[float, float]:
    """One copy, both answers in one batch; the system prompt's cache is kept, as it is between two readers of the page."""
    model = PeftModel.from_pretrained(load_base(str(checkpoint)).model, adapter, adapter_name=ADAPTER).eval()
    decoder = Decoder(model, stop_ids=[], max_new_tokens=count)

    def answer() -> None:
        decoder.submit(Job([Request(ids, side, PREFIX) for side in ("base", "tuned")]))
        while decoder.busy:
            decoder.step()

    return _median(answer, runs)


def _median(answer, runs: int) -> tuple[float, float]:
    answer()
    found = [measure(answer) for _ in range(runs)]
    return statistics.median(seconds for seconds, _ in found), max(peak for _, peak in found)


def main() -> None:
    """Print both and, last, one JSON line."""
    parser = Flags(__doc__, new_tokens=8, runs=1)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/varco8b"))
    parser.add_argument("--new-tokens", type=int, default=1024)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    ids = random.Random(2).choices(range(100, 100_000), k=PROMPT)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, adapter = arguments.checkpoint, Path(folder) / "adapter"
        if arguments.short:
            checkpoint = write_checkpoint(
                Path(folder) / "model", hidden=64, layers=2, heads=4, shard="20MB", dtype=torch.bfloat16
            )
        write_adapter(checkpoint, adapter)
        asked = (checkpoint, adapter, ids, arguments.new_tokens, arguments.runs)
        ours = time_ours(*asked)
        print(json.dumps({"ours_s": round(ours[0], 2), "peak_gb": known(ours[1], 1)}), flush=True)  # as it comes
        peer = time_generate(*asked)
        weights = memory.estimate_weights(checkpoint, dtype=torch.bfloat16, quantize="none").weights
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    bandwidth = next((value for card, value in BANDWIDTH.items() if card in name), None)
    result = {
        "device": name,
        "ours_s": round(ours[0], 2),
        "two_models_s": round(peer[0], 2),
        "speedup": round(peer[0] / ours[0], 2),
        "peak_gb": [known(ours[1], 1), known(peer[1], 1)],
        "memory_share": known(ours[1] / peer[1], 2),
        "bandwidth_share": round(weights * arguments.new_tokens / ours[0] / bandwidth, 2)
        if bandwidth
        else None,  # a step has to read every weight once
        "new_tokens": arguments.new_tokens,
        "runs": arguments.runs,
    }
    print_result(result)


if __name__ == "__main__":
    main()
