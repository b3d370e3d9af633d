"""The test split through both models, scored, and written to a folder."""

import json
import platform
import time
from importlib.metadata import version
from pathlib import Path

from newsft.data.rows import Split, keep_for_measuring, load_rows, split_rows
from newsft.data.splits import Tell
from newsft.errors import UserError
from newsft.evaluation import generate
from newsft.evaluation.results import SUMMARY_FILE, TABLE_FILE, score_all, summarise
from newsft.evaluation.table import format_table
from newsft.fingerprints import fingerprint_rows, fingerprint_template
from newsft.inference.engine import LocalEngine
from newsft.models.hub import find_files
from newsft.models.run_record import RUN_FILE, read_run
from newsft.recipe import Recipe

PACKAGES = ("torch", "transformers", "peft", "sacrebleu")


def load_data(chosen: Recipe, *, tell: Tell = lambda _: None) -> Split:
    """The recipe's data. Of rows without a system prompt all are the test, with the one that the adapter was trained with."""
    rows = load_rows(chosen.data, measuring=True, tell=tell)
    if "system_prompt" in rows[0]:
        return split_rows(rows, test_ratio=chosen.test_ratio)
    run = read_run(find_files(chosen.adapter, what="adapter"))
    if run is None:
        raise UserError(
            f"{chosen.data} has no column system_prompt, and {chosen.adapter} has no {RUN_FILE} that says with which one it was trained; add the column."
        )
    tell(
        f"{chosen.data} has no column system_prompt: all {len(rows)} rows are measured, with the system prompt that {chosen.adapter} was trained with"
    )
    return keep_for_measuring(rows, system_prompt=run["system_prompt"])


def find_settings(engine: LocalEngine, rows: list[dict]) -> dict:
    """What the answers depend on; a run goes on only where all of it is the same."""
    return {
        "base_fingerprint": engine.models.base_fingerprint,
        "adapter_fingerprint": engine.models.adapter_fingerprint,
        "data_fingerprint": fingerprint_rows(rows),
        "template_fingerprint": fingerprint_template(engine.chat.template),
        "rows": len(rows),
        "quantized": bool(getattr(engine.loaded.model, "is_loaded_in_4bit", False)),
        **engine.decoding,
    }


def evaluate(
    engine: LocalEngine,
    rows: list[dict],
    folder: Path,
    *,
    batch_rows: int = generate.BATCH_ROWS,
    progress=None,
    data: str | None = None,
) -> dict:
    """Answer and score `rows`, resuming what `folder` holds; writes the answers, the summary and its table there.

    `data` says in words which rows they are, for the table.
    """
    settings, found = find_settings(engine, rows), []
    for batch in generate.generate_all(engine, rows, folder, settings, batch_rows=batch_rows):
        found += batch
        if progress:
            progress(len(batch) // len(engine.sides))
    versions = {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}
    summary = summarise(score_all(rows, found))
    summary |= {"settings": settings, "versions": versions, "date": time.strftime("%Y-%m-%d")}
    if data:
        summary["data"] = data
    (folder / SUMMARY_FILE).write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / TABLE_FILE).write_text(format_table(summary) + "\n", encoding="utf-8")
    return summary
