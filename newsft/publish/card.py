"""The adapter's model card, README.md in its folder: made from what training and evaluation wrote there."""

import json
from dataclasses import asdict
from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from newsft.evaluation.results import SUMMARY_FILE, TABLE_FILE
from newsft.fingerprints import fingerprint_model
from newsft.models.hub import find_files
from newsft.models.run_record import read_run
from newsft.paths import ASSETS
from newsft.publish.licences import CARD_FILE, Licence, read_licence
from newsft.recipe import ELSEWHERE

EVALUATION = "evaluation"  # in the adapter's folder; an evaluation that is written elsewhere is not in the card
NOTICE_FILE = "NOTICE"
TEMPLATE = Path(__file__).with_name("card.md")


def write_card(folder: Path, model: str) -> None:
    """Write the card of the adapter in `folder`, made from the base `model`; beside it the notice that a Llama licence asks for."""
    run, licence = read_run(folder), read_licence(model, find_files(model))
    if licence.llama:
        (folder / NOTICE_FILE).write_text(licence.notice, encoding="utf-8")
    ModelCard(format_card(run, licence, folder=folder)).save(folder / CARD_FILE)


def format_card(run: dict, licence: Licence, *, folder: Path) -> str:
    """The card as Markdown with its metadata; `run` is what training wrote, `folder` is where an evaluation may be."""
    recipe = run["recipe"]
    table, evaluated = _read_table(folder)
    hub_name = run.get("hub_name")
    card = ModelCard.from_template(
        ModelCardData(**_metadata(recipe, licence)),
        template_path=str(TEMPLATE),
        name=hub_name or folder.name,
        on_hub=hub_name is not None,
        base=recipe["model"],
        run=run | {"versions": [f"{name} {version}" for name, version in run["versions"].items()]},
        recipe=recipe,
        settings=[(name, _display(value)) for name, value in recipe.items() if name not in ELSEWHERE],
        licence=asdict(licence) | {"text": licence.text, "notice": licence.notice},
        table=table,
        evaluated=evaluated,
    )
    return str(card)


def _metadata(recipe: dict, licence: Licence) -> dict:
    found = {
        "language": "ko",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "license": licence.name,
        "license_name": licence.title,
        "license_link": licence.link,
        "tags": ["lora", "sft", "trl", "newsft"],
        "base_model": recipe["model"]
        if _on_hub(recipe["model"])
        else None,  # the hub would link a folder's name to somebody's model
        "datasets": [recipe["data"]] if _on_hub(recipe["data"]) else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _on_hub(source: str) -> bool:
    return (
        source.count("/") == 1
        and not source.startswith((".", "/", "~"))
        and not (ASSETS.parent / source).exists()
        and not Path(source).exists()
    )


def _read_table(folder: Path) -> tuple[str | None, int | None]:
    """The table of the evaluation in the adapter's folder and the number of its rows; none where it is of another adapter."""
    summary, table = folder / EVALUATION / SUMMARY_FILE, folder / EVALUATION / TABLE_FILE
    if not summary.exists() or not table.exists():
        return None, None
    settings = json.loads(summary.read_text(encoding="utf-8"))["settings"]
    if settings["adapter_fingerprint"] != fingerprint_model(folder, config="adapter_config.json"):
        return None, None
    return table.read_text(encoding="utf-8").strip(), settings["rows"]


def _display(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
