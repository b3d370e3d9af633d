"""The test split through both models, scored.

python -m newsft.evaluation [--limit N] [--output DIR] [--json FILE]
"""

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from newsft import data, generations, models, recipe, scores
from newsft.data import Split
from newsft.engine import Engine
from newsft.errors import UserError
from newsft.generations import Generation
from newsft.recipe import Recipe
from newsft.scores import Judged

SUMMARY_FILE, TABLE_FILE = "summary.json", "table.md"
PACKAGES = ("torch", "transformers", "peft", "sacrebleu")


def load_engine(chosen: Recipe) -> tuple[Engine, Split]:
    """The recipe's base with its adapter, and its data."""
    split = data.split_rows(data.load_rows(chosen.data), test_ratio=chosen.test_ratio)
    loaded = models.add_adapter(models.load_base(chosen.model, quantize=chosen.quantize, attention=chosen.attention), chosen.adapter)
    return Engine(loaded, max_new_tokens=chosen.max_new_tokens, examples=split.examples), split


def describe(engine: Engine, rows: list[dict]) -> dict:
    """What the answers depend on; a run goes on only where all of it is the same."""
    return {
        "base_fingerprint": engine.loaded.fingerprint,
        "adapter_fingerprint": engine.loaded.adapter_fingerprint,
        "data_fingerprint": data.fingerprint_rows(rows),
        "template_fingerprint": models.fingerprint_template(engine.loaded.tokenizer),
        "rows": len(rows),
        "quantized": bool(getattr(engine.loaded.model, "is_loaded_in_4bit", False)),
        **engine.decoding,
    }


def judge_all(rows: list[dict], found: list[Generation]) -> dict[str, list[Judged]]:
    """side -> its answers with verdicts, in the order of the rows."""
    judged: dict[str, list[Judged]] = {}
    for one in sorted(found, key=lambda one: one.row):
        judged.setdefault(one.side, []).append(scores.judge_text(one.row, rows[one.row], one.text, one.reason))
    return judged


def summarise(judged: dict[str, list[Judged]]) -> dict:
    """side -> scores, and the paired difference of tuned over base."""
    summary = {side: scores.score(answers).as_dict() for side, answers in judged.items()}
    if {"base", "tuned"} <= judged.keys():
        summary["difference"] = scores.compare(judged["base"], judged["tuned"])
    return summary


def evaluate(engine: Engine, rows: list[dict], folder: Path, *, batch_rows: int = generations.BATCH_ROWS, progress=None) -> dict:
    """Answer, judge and score `rows`, resuming what `folder` holds; writes the answers, the summary and its table there."""
    settings, found = describe(engine, rows), []
    for batch in generations.generate_all(engine, rows, folder, settings, batch_rows=batch_rows):
        found += batch
        if progress:
            progress(len(batch) // len(engine.sides))
    summary = summarise(judge_all(rows, found)) | {
        "settings": settings,
        "versions": {name: version(name) for name in PACKAGES} | {"python": platform.python_version()},
        "date": time.strftime("%Y-%m-%d"),
    }
    (folder / SUMMARY_FILE).write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / TABLE_FILE).write_text(format_table(summary) + "\n", encoding="utf-8")
    return summary


def format_table(summary: dict) -> str:
    """The scores as a Markdown table: base, tuned and the difference, each with its interval."""
    sides = [side for side in ("base", "tuned") if side in summary]
    columns = [*sides, *(["difference"] if "difference" in summary else [])]
    lines = ["| | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name in scores.MEASURES:
        cells = [_cell(summary[side][name], summary[side]["intervals"][name]) for side in sides]
        if "difference" in summary:
            found = summary["difference"][name]
            cells.append(_cell(found["difference"], found["interval"], signed=True) if found else "–")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    for kind in ("positive", "negative", "both"):
        held = [summary[side]["kinds"].get(kind, {"rows": 0, "stock_f1": None}) for side in sides]
        cells = ["–" if one["stock_f1"] is None else f"{one['stock_f1'] * 100:.1f} %" for one in held]
        lines.append(f"| stock_f1, {kind} ({held[0]['rows']} rows) | " + " | ".join(cells + [""] * (len(columns) - len(sides))) + " |")
    for name in ("readings", "problems", "stop_reasons"):
        counts = [", ".join(f"{what} {count}" for what, count in summary[side][name].items()) for side in sides]
        lines.append(f"| {name} | " + " | ".join(counts + [""] * (len(columns) - len(sides))) + " |")
    return "\n".join(lines)


def _cell(value: float | None, interval: list[float] | None, *, signed: bool = False) -> str:
    if value is None:
        return "–"
    sign = "+" if signed else ""
    return f"{value * 100:{sign}.1f} % ({interval[0] * 100:{sign}.1f} to {interval[1] * 100:{sign}.1f})"


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as far as they matter here, how many rows, and where the results go."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    recipe.add_flags(parser, only=("model", "data", "adapter", "quantize", "attention", "test_ratio", "max_new_tokens"))
    parser.add_argument("--limit", type=int, help="only the first N test rows")
    parser.add_argument("--batch-rows", type=int, default=generations.BATCH_ROWS, help="articles that are answered and kept together; a killed run loses as many at most (default: %(default)s)")
    parser.add_argument("--output", type=Path, help="folder for the answers, the summary and its table; a killed run goes on from it (default: evaluation/RECIPE)")
    parser.add_argument("--json", type=Path, help="write the summary to this file too")
    return parser.parse_args()


def main() -> None:
    """Evaluate and print the table."""
    arguments = parse_flags()
    try:
        chosen = recipe.from_flags(arguments)
        folder = arguments.output or Path("evaluation") / chosen.name
        for name in ("limit", "batch_rows"):
            if vars(arguments)[name] is not None and vars(arguments)[name] < 1:
                raise UserError(f"--{name.replace('_', '-')} is {vars(arguments)[name]}; it must be at least 1.")
        engine, split = load_engine(chosen)
        rows = split.test[: arguments.limit]
        with tqdm(total=len(rows), unit="row") as bar:
            summary = evaluate(engine, rows, folder, batch_rows=arguments.batch_rows, progress=bar.update)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print(f"\nstopped; the same command goes on from {folder}", file=sys.stderr)
        sys.exit(130)
    print(format_table(summary))
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"answers and summary in {folder}")
    from newsft import card  # which reads what is written here

    if folder.name == card.EVALUATION and folder.parent.resolve() == Path(chosen.adapter).resolve() and (folder.parent / models.RUN_FILE).exists():
        card.write_card(folder.parent, chosen.model)
        print(f"the table is in the card of {folder.parent}")


if __name__ == "__main__":
    main()
