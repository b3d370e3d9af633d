"""The test split through both models, scored.

python -m newsft.evaluation [--limit N] [--json FILE]
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from newsft import answers, data, models, recipe
from newsft.answers import Counts
from newsft.data import Split
from newsft.engine import Engine, Request, TextStream
from newsft.errors import UserError
from newsft.recipe import Recipe

BATCH_ROWS = 16  # articles answered together; each is two rows of the batch, base and tuned


@dataclass
class Generation:
    """One side's answer to one test row."""

    row: int
    side: str
    text: str
    tokens: int
    reason: str


def generate_all(engine: Engine, rows: list[dict], *, batch_rows: int = BATCH_ROWS) -> Iterator[list[Generation]]:
    """Every row's answers from every side, batch by batch; rows of like length are answered together."""
    tokenizer = engine.loaded.tokenizer
    encoded = [engine.encode(row["user_prompt"], system_prompt=row["system_prompt"])[:2] for row in rows]
    order = sorted(range(len(rows)), key=lambda number: len(encoded[number][0]))
    for start in range(0, len(order), batch_rows):
        numbers = [(number, side) for number in order[start : start + batch_rows] for side in engine.sides]
        requests = [Request(encoded[number][0].input_ids, side, encoded[number][1]) for number, side in numbers]
        streams = [TextStream(tokenizer) for _ in requests]
        reasons = [""] * len(requests)
        for tokens in engine.generate(requests):
            for token in tokens:
                if token.token is None:
                    reasons[token.row] = token.reason
                else:
                    streams[token.row].add(token.token)
        yield [Generation(number, side, stream.finish(), stream.count, reason) for (number, side), stream, reason in zip(numbers, streams, reasons, strict=True)]


def score(rows: list[dict], texts: dict[int, str], reasons: dict[int, str]) -> dict:
    """One side's scores over its rows. An answer that cannot be read counts as wrong and as naming nothing.

    `stock_*` compare companies together with their direction; `names_company` is the share of stock-related rows whose
    raw text names at least one of the gold companies, readable or not; `grounded` is the share of named stocks that
    occur in the article.
    """
    readable = relevant = named = stock_rows = grounded = claimed = 0
    stocks, problems = Counts(), Counter()
    for number, text in texts.items():
        answer, gold = answers.read_answer(text), answers.Answer(data.gold_answer(rows[number]) or {})
        readable += answer.readable
        problems[answer.problem or "readable"] += 1
        found = answer.stocks() if answer.readable else set()
        if answer.readable:
            relevant += answer.values["is_stock_related"] == gold.values.get("is_stock_related")
        stocks.add(found, gold.stocks())
        claimed += len(found)
        grounded += sum(answers.is_grounded(name, rows[number]["user_prompt"]) for _, name in found)
        if gold.stocks():
            stock_rows += 1
            named += any(name in answers.normalise(text) for _, name in gold.stocks())
    count = len(texts)
    return {
        "rows": count,
        "readable": round(readable / count, 4),
        "is_stock_related_accuracy": round(relevant / count, 4),
        "stock_precision": round(stocks.precision, 4),
        "stock_recall": round(stocks.recall, 4),
        "stock_f1": round(stocks.f1, 4),
        "names_company": round(named / stock_rows, 4) if stock_rows else None,
        "grounded": round(grounded / claimed, 4) if claimed else None,
        "problems": dict(problems.most_common()),
        "stop_reasons": dict(Counter(reasons.values()).most_common()),
    }


def evaluate(engine: Engine, rows: list[dict], *, progress=None) -> tuple[dict, list[Generation]]:
    """Scores per side, and every generation. `progress(done, total)` is called after each batch."""
    generations: list[Generation] = []
    for batch in generate_all(engine, rows):
        generations += batch
        if progress:
            progress(len(generations) // len(engine.sides), len(rows))
    scores = {}
    for side in engine.sides:
        own = sorted((g for g in generations if g.side == side), key=lambda g: g.row)
        scores[side] = score(rows, {g.row: g.text for g in own}, {g.row: g.reason for g in own})
    return scores, sorted(generations, key=lambda g: (g.row, g.side))


def load_engine(chosen: Recipe) -> tuple[Engine, Split]:
    """The recipe's base with its adapter, and its data."""
    split = data.split_rows(data.load_rows(chosen.data), test_ratio=chosen.test_ratio)
    loaded = models.add_adapter(models.load_base(chosen.model), chosen.adapter)
    return Engine(loaded, max_new_tokens=chosen.max_new_tokens), split


def format_scores(scores: dict) -> str:
    """The scores as a Markdown table, one column a side."""
    lines = ["| | " + " | ".join(scores) + " |", "|---|" + "---:|" * len(scores)]
    for key in next(iter(scores.values())):
        values = [side[key] for side in scores.values()]
        if isinstance(values[0], dict):
            cells = [", ".join(f"{name} {count}" for name, count in value.items()) for value in values]
        else:
            cells = ["–" if value is None else f"{value:.1%}" if isinstance(value, float) else str(value) for value in values]
        lines.append(f"| {key} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Evaluate and print a table; with --json, write the scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    recipe.add_flags(parser, only=("model", "data", "adapter", "test_ratio", "max_new_tokens"))
    parser.add_argument("--limit", type=int, help="only the first N test rows")
    parser.add_argument("--json", type=Path, help="write the scores to this file")
    parser.add_argument("--answers", type=Path, help="write every answer to this JSONL file")
    arguments = parser.parse_args()
    try:
        engine, split = load_engine(recipe.from_flags(arguments))
    except UserError as error:
        sys.exit(_fail(error))
    rows, begun = split.test[: arguments.limit], time.monotonic()

    def show(done: int, total: int) -> None:
        print(f"\r{done}/{total} rows, {time.monotonic() - begun:.0f} s", end="", file=sys.stderr, flush=True)

    scores, generations = evaluate(engine, rows, progress=show)
    print(file=sys.stderr)
    print(format_scores(scores))
    if arguments.json:
        arguments.json.write_text(json.dumps(scores, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if arguments.answers:
        arguments.answers.write_text("".join(json.dumps(vars(g), ensure_ascii=False) + "\n" for g in generations), encoding="utf-8")


def _fail(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
