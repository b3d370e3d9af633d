"""Everything that is to be measured on one GPU, one part after the other, in nine minutes at most and with nothing from outside.

benchmarks/gpu.sh [--output FOLDER]             from a clone with its environment; the same as python -m benchmarks.gpu
benchmarks/gpu.sh --short                       the rehearsal, with a tiny checkpoint, on any CPU

Each part has its own limit of time and is cut off there. FOLDER/results.jsonl gets a line when a part has ended, and FOLDER/PART.log what it says while it
runs, so that a run that was itself cut off still tells what it has seen. Fails where a part failed; one that lacked a package or time is no failure.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.flags import Flags

ROOT = Path(__file__).parents[1]
TOTAL = 540  # seconds
DONE, CUT, FAILED, MISSING, NO_TIME = "done", "cut off", "failed", "package missing", "no time left"


@dataclass(frozen=True)
class Part:
    """A benchmark with its flags; `needs` is a package without which it is left out."""

    name: str
    seconds: float  # at most
    module: str
    flags: str
    needs: str | None = None


def list_parts(checkpoint: Path, *, short: bool) -> list[Part]:
    """What is measured, what matters most first: the limits add up to TOTAL."""
    model, training = f"--checkpoint {checkpoint}", "benchmarks.train_gpu"
    flash = " padding_free" if importlib.util.find_spec("flash_attn") and not short else ""
    size, answers, steps, few, ten = "", "--new-tokens 64 --runs 3", "--steps 6", "--steps 1", "--steps 8"
    if short:
        size, answers = " --hidden 128 --layers 2", "--new-tokens 4 --runs 1"
        steps = few = ten = "--steps 1 --shrink 16"
    return [
        Part("checkpoint", 90, "benchmarks.varco8b", f"--output {checkpoint}{size}"),
        Part("equivalence", 60, "benchmarks.equivalence_gpu", f"{model}{' --shrink 16' if short else ''}"),
        Part("training", 140, training, f"{model} {steps} --runs 1 --ways ours lesson{flash}"),
        Part("answers", 100, "benchmarks.answers_gpu", f"{model} {answers}"),
        Part("longest", 60, training, f"{model} {few} --runs 1 --longest --ways ours"),
        Part("four_bits", 90, training, f"{model} {ten} --runs 1 --ways four_bits", needs="bitsandbytes"),
    ]


def run_part(part: Part, folder: Path, seconds: float) -> dict:
    """The part's line of the results: how it ended, its figures, and of one that did not end by itself whatever it had already said."""
    if part.needs and importlib.util.find_spec(part.needs) is None:
        return {"part": part.name, "ended": MISSING, "needs": part.needs}
    if seconds <= 0:
        return {"part": part.name, "ended": NO_TIME}
    begun, log = time.monotonic(), folder / f"{part.name}.log"
    with log.open("w", encoding="utf-8") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", part.module, *part.flags.split()],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"},
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            ended = FAILED if process.wait(min(part.seconds, seconds)) else DONE
        except subprocess.TimeoutExpired:
            ended = CUT
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    figures = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    line = {"part": part.name, "ended": ended, "seconds": round(time.monotonic() - begun, 1)}
    if ended == DONE:
        return line | {"figures": figures[-1] if figures else None}
    return line | {"figures": figures, "said": lines[-5:]}


def run_all(parts: list[Part], folder: Path, *, total: float = TOTAL) -> list[dict]:
    """Every part's line, each written as it comes; none runs on when `total` seconds have passed."""
    folder.mkdir(parents=True, exist_ok=True)
    found, until = [], time.monotonic() + total
    with (folder / "results.jsonl").open("w", encoding="utf-8") as results:
        for part in parts:
            found.append(run_part(part, folder, until - time.monotonic()))
            results.write(json.dumps(found[-1]) + "\n")
            results.flush()
            print(json.dumps(found[-1]), flush=True)
    return found


def main() -> None:
    """Run all parts; exit code 1 where one failed."""
    parser = Flags(__doc__, output=Path("work/gpu-short"))
    parser.add_argument("--output", type=Path, default=Path("work/gpu"), help="folder of the results (work/gpu)")
    parser.add_argument(
        "--patience", type=float, default=1.0, help="multiply every limit of time, on a machine that is busy (1)"
    )
    arguments = parser.parse_args()
    folder, patience = arguments.output.resolve(), arguments.patience
    parts = list_parts(folder / "checkpoint", short=arguments.short)
    parts = [replace(part, seconds=part.seconds * patience) for part in parts]
    found = run_all(parts, folder, total=TOTAL * patience)
    for line in found:
        print(f"{line['part']:12} {line['ended']:16} {line.get('seconds', '')}")
    sys.exit(any(line["ended"] == FAILED for line in found))


if __name__ == "__main__":
    main()
