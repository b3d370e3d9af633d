"""Fill the figures of the documents from the files and constants that they come from: python -m scripts.figures

A figure stands between `<!--name-->` and `<!---->`, within a line or, for a table, on lines of its own. tests/test_documents.py fails where one is not
what its source says, so that no figure has to be copied by hand.
"""

import dataclasses
import json
import re
from functools import cache
from math import prod
from pathlib import Path

from safetensors import safe_open

from newsft.evaluation.fields import stocks_of
from newsft.evaluation.metrics import ScoredAnswer
from newsft.evaluation.results import ANSWERS_FILE, SUMMARY_FILE, read_generations, score_all
from newsft.evaluation.table import format_table
from newsft.paths import short_path
from newsft.recipe import RECIPES, Recipe
from scripts import cards

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
MARKER = re.compile(r"<!--([a-z][\w.-]*)-->(.*?)<!---->", re.DOTALL)
MINI = RECIPES["mini"]
BASE, ADAPTER, EVALUATION = Path(MINI.model), Path(MINI.adapter), Path(MINI.evaluation)
HANDWRITTEN = ADAPTER / "handwritten"  # the evaluation of tests/data/handwritten.json

SHORT = {  # the rows of the READMEs' table: measure -> English, Korean
    "readable": (
        "answers that Python reads as a dict with all eight keys",
        "여덟 개의 키를 모두 갖춘 딕셔너리로 읽히는 답변",
    ),
    "names_company": (
        "stock articles of which a company is named, in any form",
        "형식과 관계없이 영향을 받는 회사를 적은 종목 기사",
    ),
    "stock_f1": ("companies and their direction, F1", "종목과 방향, F1"),
    "words_in_article": (
        "words of reasons and summary that the article has",
        "이유와 요약의 낱말 가운데 기사에 있는 것",
    ),
}


def count_parameters(folder: Path) -> int:
    """Numbers in the *.safetensors files of a folder, by their headers."""
    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="np") as file:
            total += sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 - no dict
    return total


@cache
def summary(folder: Path = EVALUATION) -> dict:
    """A shipped evaluation's scores: of the test rows, or of the articles in HANDWRITTEN."""
    return json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))


@cache
def rows() -> list[dict]:
    """The miniature's rows."""
    return [json.loads(line) for line in Path(MINI.data).read_text(encoding="utf-8").split("\n") if line]


@cache
def scored() -> dict[str, list[ScoredAnswer]]:
    """The shipped evaluation's answers, side by side with gold."""
    return score_all(rows(), read_generations(EVALUATION / ANSWERS_FILE))


def share(value: float | None) -> str:
    """A share in per cent; a dash where there was nothing to measure, as in answers that cannot be read."""
    return "–" if value is None else f"{value * 100:.1f} %"


def short_scores(language: int) -> str:
    """A few rows of the tables of scores, without intervals: test rows, and articles that were never trained on nor chosen by."""
    heads = (
        "| | test rows: base | tuned | unseen articles: base | tuned |",
        "| | 평가용 행: 베이스 | 파인튜닝 | 처음 보는 기사: 베이스 | 파인튜닝 |",
    )
    cells = [
        [share(summary(folder)[side][name]) for folder in (EVALUATION, HANDWRITTEN) for side in ("base", "tuned")]
        for name in SHORT
    ]
    lines = [f"| {words[language]} | {' | '.join(one)} |" for words, one in zip(SHORT.values(), cells, strict=True)]
    return "\n".join([heads[language], "|---|---:|---:|---:|---:|", *lines])


def company_counts() -> dict[str, int]:
    """How the tuned model reads the articles that affect one company, and those that affect several."""
    pairs = [(stocks_of(one.answer), stocks_of(one.gold)) for one in scored()["tuned"]]
    single, several = [pair for pair in pairs if len(pair[1]) == 1], [pair for pair in pairs if len(pair[1]) > 1]
    swapped = [{("-" if sign == "+" else "+", name) for sign, name in gold} - gold for _, gold in several]
    return {
        "single-articles": len(single),
        "single-right": sum(gold == found for found, gold in single),
        "several-companies": sum(len(gold) for _, gold in several),
        "several-found": sum(len(gold & found) for found, gold in several),
        "several-wrong-side": sum(len(found & other) for (found, _), other in zip(several, swapped, strict=True)),
    }


def made(pattern: str) -> str:
    """What the base model's card says of its making."""
    return re.search(pattern, (BASE / "README.md").read_text(encoding="utf-8"))[1]


def settings_table() -> str:
    """Every setting of the recipes with its reason, as recipe.py has them."""
    lines = ["| setting | mini | varco | what it is |", "|---|---|---|---|"]
    for field in dataclasses.fields(Recipe):
        if field.name != "name":
            values = [show(getattr(RECIPES[name], field.name)) for name in ("mini", "varco")]
            lines.append(
                f"| `--{field.name.replace('_', '-')}` | {values[0]} | {values[1]} | {field.metadata['why']} |"
            )
    return "\n".join(lines)


def show(value: object) -> str:
    """A setting's value as the documents write it."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else short_path(str(value))


def trainers_table() -> str:
    """What other trainers make of a row, as assets/trainers.toml has it; the counts are those of the toy row with Llama 3's tokenizer."""
    from newsft.encoding.llama3 import llama3_chat
    from newsft.encoding.row import IGNORED
    from newsft.lessons.behaviours import CONSTANT_DAY
    from newsft.lessons.conversations import TOY
    from newsft.lessons.trainers import load_trainers, prepare_row

    lines = [
        "| trainer | the row is prepared from | trained / ids | what is trained, which ids there are | limit; a longer row | white space | pasted control text | what mends it |",
        "|---|---|---:|---|---|---|---|---|",
    ]
    for trainer in load_trainers().values():
        row, words = (
            prepare_row(trainer, llama3_chat(), TOY, today=CONSTANT_DAY),
            {name: text.replace("|", "\\|") for name, text in trainer.texts["en"].items()},
        )
        beside = f" ({trainer.beside})" if trainer.beside else ""
        count = "–" if row is None else f"{sum(label != IGNORED for label in row.labels)} / {len(row)}"
        space, pasted = (
            "–" if value == "unknown" else value
            for value in (
                trainer.space,
                {"control": "real control tokens", "text": "stays text"}.get(trainer.pasted, trainer.pasted),
            )
        )
        limit = f"**{trainer.limit:,}**. {words['long']}" if trainer.limit else words["long"]
        lines.append(
            f"| [{trainer.name} {trainer.version}]({trainer.source}){beside} | {words['variant']} | {count} | {words['what']} | {limit} | {space} | {pasted} | {words['mend']} |"
        )
    return "\n".join(lines)


def limits() -> dict[str, int]:
    """What a page accepts at most."""
    from newsft.data.text import NEWS_LIMIT
    from newsft.inference.decoder import MOST_ROWS
    from newsft.inference.shared import KEPT
    from newsft.lessons import conversations, two_steps
    from newsft.page.middleware import MOST_BYTES
    from newsft.page.sessions import QUEUE_LENGTH
    from newsft.runs.wish import Limits

    runs = Limits()
    return {
        "limit-news": NEWS_LIMIT,
        "limit-message": conversations.TEXT_LIMIT,
        "limit-messages": conversations.MESSAGE_LIMIT,
        "limit-shown": conversations.DRAWN_TOKENS,
        "limit-lab": conversations.COMPARED_TOKENS,
        "limit-two-steps": two_steps.PROOF_TOKENS,
        "limit-megabytes": MOST_BYTES // 10**6,
        "limit-queue": QUEUE_LENGTH,
        "limit-together": MOST_ROWS // 2,
        "limit-run-steps": runs.steps,
        "limit-run-rows": runs.rows,
        "limit-run-megabytes": runs.upload // 10**6,
        "limit-run-kept": runs.per_reader,
        "limit-run-waiting": runs.waiting,
        "limit-run-hours": round(runs.age / 3600),
        "kept-answers": KEPT,
    }


def counts() -> dict[str, int]:
    """Whole numbers of the shipped files."""
    from newsft.evaluation.growth import ROWS as GROWTH_ROWS
    from newsft.lessons.faults import Faults
    from newsft.lessons.trainers import load_trainers

    tests = int(len(rows()) * MINI.test_ratio)
    readable = {side: round(summary()[side]["readable"] * summary()[side]["rows"]) for side in ("base", "tuned")}
    return {
        "rows": len(rows()),
        "test-rows": tests,
        "train-rows": len(rows()) - tests,
        "steps": MINI.steps(len(rows()) - tests),
        "adapter-parameters": count_parameters(ADAPTER),
        "base-steps": int(made(r"stretch ([\d,]+) steps").replace(",", "")),
        "evaluated": summary()["tuned"]["rows"],
        "tuned-unreadable": summary()["tuned"]["rows"] - readable["tuned"],
        "base-all-keys": summary()["base"]["problems"].get("none", 0),
        "faults": len(dataclasses.fields(Faults)),
        "trainer-names": len({trainer.name for trainer in load_trainers().values()}),
        "trainer-entries": len(load_trainers()),
        "examples": len(json.loads((ROOT / "assets" / "examples.json").read_text(encoding="utf-8"))),
        "handwritten": len(json.loads((ROOT / "tests" / "data" / "handwritten.json").read_text(encoding="utf-8"))),
        "growth-rows": GROWTH_ROWS,
        **company_counts(),
        **limits(),
    }


@cache
def figures() -> dict[str, str]:
    """name -> text of every figure."""
    run = json.loads((ADAPTER / "run.json").read_text(encoding="utf-8"))
    parameters = count_parameters(BASE)
    settings = {
        f"{name}.{field.name}": show(getattr(recipe, field.name))
        for name, recipe in RECIPES.items()
        for field in dataclasses.fields(Recipe)
    }
    texts = {
        "parameters": f"{parameters / 1e6:.1f} million",
        "parameters-ko": f"{round(parameters / 1e5) * 10}만",
        "training-seconds": f"{run['seconds']:.0f}",
        "train-minutes": f"{run['seconds'] / 60:.0f}",
        "loss-before": f"{run['validation'][0]['loss']:.3f}",
        "loss-after": f"{run['validation'][-1]['loss']:.3f}",
        "base-tokens": made(r"steps on ([\d.]+ M) tokens"),
        "arithmetic": f"{run['rows']} × {MINI.epochs} / ({MINI.batch_size} × {MINI.accumulation}) = {run['steps']}",
        "scores": f"\n{format_table(summary())}\n",
        "scores-handwritten": f"\n{format_table(summary(HANDWRITTEN))}\n",
        "scores-short": f"\n{short_scores(0)}\n",
        "scores-short-ko": f"\n{short_scores(1)}\n",
        "settings": f"\n{settings_table()}\n",
        "cards": f"\n{cards.cards_table()}\n",
        "trainers": f"\n{trainers_table()}\n",
        "card-weights": f"{cards.weight_bytes(False) / 1e9:.1f} GB",
        "card-tokens": f"{cards.ROWS * cards.MEAN_ROW:,}",
        "card-peaks": ", ".join(str(peak) for _, _, peak, _, _ in cards.CARDS),
        "card-bandwidths": ", ".join(f"{bandwidth:.2f}" for _, _, _, bandwidth, _ in cards.CARDS),
    }
    return settings | {name: f"{value:,}" for name, value in counts().items()} | texts


def fill(text: str) -> str:
    """The text with every figure as its source has it. Raises KeyError for a name that is none."""
    return MARKER.sub(lambda found: f"<!--{found[1]}-->{figures()[found[1]]}<!---->", text)


def main() -> None:
    """Rewrite the documents where a figure has changed."""
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        if (filled := fill(text)) != text:
            path.write_text(filled, encoding="utf-8")
            print(f"filled {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
