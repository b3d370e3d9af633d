"""The page as a folder of files that needs no server: the lesson's tabs for the embedded rows, the evaluation, and both answers to all test rows and examples.

python -m newsft.publish.static DIR                 all rows; the folder is a static Space, or is opened from the disk
python -m newsft.publish.static DIR --rows 20       the lesson's tabs for the first 20 rows
"""

import argparse
import base64
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path

from newsft import recipe
from newsft.data.rows import Split, load_rows, split_rows
from newsft.errors import UserError, command
from newsft.evaluation.metrics import MEASURES
from newsft.evaluation.results import FILTERS, Results, load_results
from newsft.inference.engine import LocalEngine, load_engine
from newsft.lessons.source import Shelf
from newsft.lessons.trainers import load_trainers
from newsft.page.html import evaluation, scores, static
from newsft.page.tabs.compare import EXAMPLES, LESSON_ROWS
from newsft.page.tabs.compare_handlers import CompareHandlers
from newsft.page.tabs.lab import SWITCHES, show_lab
from newsft.page.tabs.template import show_template
from newsft.page.tabs.tokens import show_batch, show_row
from newsft.page.tabs.trainers import show_trainer
from newsft.page.texts import LANGUAGES, lesson, say
from newsft.paths import ASSETS
from newsft.recipe import Recipe

CODES = tuple(LANGUAGES.values())
TOKENIZER = "llama3"  # of the lesson's tabs; its ids are VARCO's
TOY = ("toy", 0, "", "", "")
# Where an entry's HTML is cut into the pieces that a table has columns for. A column keeps each piece once, and like pieces stand side by side there,
# within the 32 kB that gzip looks back over: with the entries whole, the folder would be twice as large.
CUTS = re.compile(r'(?=<section|<aside|<div|<p|\],")')
SIZES = {"answers": 50, "template": 50, "tokens": 40, "lab": 11, "trainers": 10}  # entries in one file
FRONT_MATTER = """---
title: newsft
emoji: 📰
colorFrom: blue
colorTo: indigo
sdk: static
app_file: index.html
short_description: Base and fine-tuned Korean Llama side by side
license: apache-2.0
---
"""

Say = Callable[[str], str]  # language -> HTML


@dataclass(frozen=True)
class Content:
    """What is shown: the model with its data, the finished evaluation, and how many rows the lesson's tabs have."""

    engine: LocalEngine
    split: Split
    results: Results
    shelf: Shelf
    chosen: Recipe
    rows: int


def _choices(content: Content) -> list[tuple]:
    return [TOY, *(("row", number, "", "", "") for number in range(content.rows))]


def list_templates(content: Content) -> Iterable[Say]:
    """The tab 챗 템플릿 of every conversation, the short example first."""
    for choice in _choices(content):
        yield lambda to, choice=choice: show_template(content.shelf, to, TOKENIZER, *choice, False, "official")


def list_tokens(content: Content) -> Iterable[Say]:
    """The tab 토큰·레이블·마스크 of the same conversations, each in a batch with the row after it."""
    last = len(content.split.rows) - 1
    for source, number, *texts in _choices(content):

        def show(to: str, choice: tuple = (source, number, *texts), second: int = min(number + 1, last)) -> str:
            batch = show_batch(content.shelf, to, TOKENIZER, *choice, second)
            return f"{show_row(content.shelf, to, TOKENIZER, *choice)}<h3>{say('batch', to)}</h3>{batch}"

        yield show


def lab_rows(content: Content) -> list[int]:
    """The rows of the lab: those that the lesson looks at."""
    return [number for number in LESSON_ROWS if number < content.rows]


def list_faults(content: Content) -> Iterable[Say]:
    """Every single fault on the short example and on the rows that the lesson looks at."""
    for choice in (TOY, *(("row", number, "", "", "") for number in lab_rows(content))):
        for name in SWITCHES:
            yield lambda to, choice=choice, name=name: "".join(
                show_lab(content.shelf, to, TOKENIZER, *choice, [name], 0)
            )


def list_trainers(content: Content) -> Iterable[Say]:
    """What every trainer makes of the short example."""
    for key in load_trainers():
        yield lambda to, key=key: "".join(show_trainer(content.shelf, to, TOKENIZER, *TOY, key))


def list_answers(content: Content) -> Iterable[Say]:
    """The examples, answered now, and the evaluation's rows."""
    handlers = CompareHandlers(
        content.engine, page=None, system_prompt=_system_prompt(content), rows=content.split.test
    )
    for article in _examples():
        *_, last = content.engine.compare(article["text"], system_prompt=handlers.system_prompt)

        def show(to: str, article: dict = article, last=last) -> str:
            *columns, footer = handlers.show(last, to)
            told = f'<details open><summary>{say("article", to)}</summary><p class="article">{escape(article["text"])}</p></details>'
            return f'<h3>{escape(article["title"][to])}</h3>{told}<div class="columns">{"".join(columns)}</div><div id="footer">{footer}</div>'

        yield show
    for row in content.results.rows:
        yield lambda to, row=row: evaluation.format_row(row, language=to).replace("<details>", "<details open>", 1)


def _examples() -> list[dict]:
    return json.loads(EXAMPLES.read_text(encoding="utf-8"))


def _system_prompt(content: Content) -> str:
    run = content.engine.models.run
    return run["system_prompt"] if run else content.split.rows[0]["system_prompt"]


def pack_columns(texts: Sequence[str]) -> list[tuple[list[str], list[int]]]:
    """The texts as columns of pieces: in each the pieces that occur in it, and the number of every text's own."""
    cut = [CUTS.split(text) for text in texts]
    columns = []
    for place in range(max(map(len, cut))):
        pieces = [one[place] if place < len(one) else "" for one in cut]
        numbers = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
        columns.append((list(numbers), [numbers[piece] for piece in pieces]))
    return columns


def write_table(path: Path, columns: Sequence) -> None:
    """A script that hands a packed table over to the page."""
    packed = gzip.compress(json.dumps(columns, ensure_ascii=False).encode(), mtime=0)
    # Base 85 is 6 % shorter than base 64 and has no quote or backslash; a browser has no function that reads it, but static.js does.
    path.write_text(f'newsft.take("{path.stem}","{base64.b85encode(packed).decode()}")\n', encoding="ascii")


def write_entries(folder: Path, name: str, entries: Iterable[Say]) -> int:
    """The entries in every language, so many to a file; how many there are."""
    waiting, count = iter(entries), 0
    while some := list(islice(waiting, SIZES[name])):
        columns = pack_columns([show(language) for show in some for language in CODES])
        write_table(folder / f"{name}-{count // SIZES[name]}.js", columns)
        count += len(some)
    return count


def write_folder(folder: Path, content: Content) -> None:
    """Every file of the folder, which must be new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not an empty folder; give another.")
    data = folder / "data"
    data.mkdir(parents=True)
    lists = {"answers": list_answers, "template": list_templates, "tokens": list_tokens}
    for name, make in (lists | {"lab": list_faults, "trainers": list_trainers}).items():
        write_entries(data, name, make(content))
    articles = [article["text"] for article in _examples()]
    texts = [(row.article, *(one.text for one in row.answers.values())) for row in content.results.rows]
    write_table(data / "search-answers.js", [[text.lower() for text in (*articles, *map("\n".join, texts))]])
    rows = content.split.rows[: content.rows]
    write_table(data / "search-rows.js", [[row["user_prompt"].lower() for row in rows]])
    for language in CODES:
        (folder / static.FILES[language]).write_text(make_page(content, language), encoding="utf-8")
    (folder / "README.md").write_text(FRONT_MATTER, encoding="utf-8")


def make_page(content: Content, language: str) -> str:
    """The file of one language."""
    examples, tests = _examples(), content.results.rows
    counts = {"examples": len(examples), "tests": len(tests), "rows": content.rows}
    passing = {name: [len(examples) + row.number for row in tests if row.passes(name)] for name in FILTERS}
    passing["all"] = [*range(len(examples)), *passing["all"]]
    facts = {"languages": CODES, "sizes": SIZES, "lessons": ["template", "tokens"], "faults": len(SWITCHES)}
    return static.format_page(
        make_panels(content, language),
        facts | {"counts": counts, "filters": passing},
        model_line=_model_line(content, language),
        style="".join((ASSETS / name).read_text(encoding="utf-8") for name in ("static.css", "style.css")),
        scripts=[(ASSETS / name).read_text(encoding="utf-8") for name in ("lesson.js", "static.js")],
        language=language,
    )


def _model_line(content: Content, language: str) -> str:
    model, adapter = (escape(Path(source).name) for source in (content.chosen.model, content.chosen.adapter))
    return f"<p class='model'>{say('model_line', language, model=model, adapter=adapter)}</p>"


def make_panels(content: Content, language: str) -> dict[str, str]:
    """The panel of every tab, by the tab's name."""
    summary, blank = content.results.summary, [""] + [None] * 3 + [""]
    lines = [
        [say("static_example", language, number=number), article["title"][language], *blank]
        for number, article in enumerate(_examples(), 1)
    ]
    lines += evaluation.list_rows(content.results.rows, language=language)
    last, train = content.rows - 1, len(content.split.test)
    lessons = {
        name: static.format_row_panel(
            name, static.format_markdown(say(f"{name}_intro", language)), last=last, train=train, language=language
        )
        for name in ("template", "tokens")
    }
    conversations = [say("source_toy", language), *(say("lesson_row", language, row=row) for row in lab_rows(content))]
    faults = [lesson(name, language)["switch"] for name in SWITCHES]
    trainers = [f"{one.name} · {one.texts[language]['variant'].replace('`', '')}" for one in load_trainers().values()]
    numbered = [
        [(str(number), text) for number, text in enumerate(texts)] for texts in (conversations, faults, trainers)
    ]
    told = [
        evaluation.format_origin(summary, language=language),
        scores.draw_scores(summary, language=language),
        scores.draw_kinds(summary, "stock_f1", language=language),
        evaluation.format_scores(summary, tuple(MEASURES), language=language),
    ]
    return lessons | {
        "compare": static.format_answers_panel(lines, FILTERS, language=language),
        "lab": static.format_lab_panel(*numbered, language=language),
        "evaluation": "".join(told),
    }


def read_content(chosen: Recipe, rows: int | None) -> Content:
    """Data, model and evaluation of a recipe. Raises UserError where one of them is missing."""
    split = split_rows(load_rows(chosen.data), test_ratio=chosen.test_ratio)
    engine = load_engine(chosen, examples=split.examples)
    results = load_results(Path(chosen.evaluation), split.test)
    shelf = Shelf(split.rows, engine.chat, tests=len(split.test))
    return Content(engine, split, results, shelf, chosen, min(rows or len(split.rows), len(split.rows)))


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as far as they matter here, the folder, and how many rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser, only=("model", "adapter", "data", "test_ratio", "evaluation", "max_new_tokens"))
    parser.add_argument("folder", type=Path, help="new folder for the page")
    parser.add_argument("--rows", type=int, help="how many rows the lesson's tabs have (all)")
    return parser.parse_args()


@command()
def main() -> None:
    """Write the folder and say how large it is."""
    arguments = parse_flags()
    write_folder(arguments.folder, read_content(recipe.from_flags(arguments), arguments.rows))
    size = sum(path.stat().st_size for path in arguments.folder.rglob("*") if path.is_file())
    print(
        f"{arguments.folder}: {size / 1e6:.1f} MB; open {arguments.folder / 'index.html'}, or upload it as a static Space"
    )


if __name__ == "__main__":
    sys.exit(main())
