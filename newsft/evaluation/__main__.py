"""The test split through both models, scored.

python -m newsft.evaluation [--limit N] [--output DIR] [--json FILE]
python -m newsft.evaluation --data FILE     where FILE has no column system_prompt: all of its rows, with the adapter's own
"""

import argparse
import json
import sys
from pathlib import Path

from tqdm import tqdm

from newsft import recipe
from newsft.errors import UserError, command, list_rows
from newsft.evaluation import generate
from newsft.evaluation.article import find_long
from newsft.evaluation.run import evaluate, load_data
from newsft.evaluation.table import format_table
from newsft.inference.engine import load_engine
from newsft.models.run_record import RUN_FILE
from newsft.paths import public_path
from newsft.publish import card


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as far as they matter here, how many rows, and where the results go."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    recipe.add_flags(parser, only=("model", "data", "adapter", "quantize", "attention", "test_ratio", "max_new_tokens"))
    parser.add_argument("--limit", type=int, help="only the first N test rows")
    parser.add_argument(
        "--batch-rows",
        type=int,
        default=generate.BATCH_ROWS,
        help="articles that are answered and kept together; a killed run loses as many at most (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help="folder for the answers, the summary and its table; a killed run goes on from it (default: evaluation/RECIPE)",
    )
    parser.add_argument("--json", type=Path, help="write the summary to this file too")
    return parser.parse_args()


def tell(text: str) -> None:
    """Say beside the results what is worth knowing."""
    print(f"note: {text}", file=sys.stderr)


@command(stopped="stopped; the answers are kept, the same command goes on from them")
def main() -> None:
    """Evaluate and print the table."""
    arguments = parse_flags()
    chosen = recipe.from_flags(arguments)
    folder = arguments.output or Path("evaluation") / chosen.name
    for name in ("limit", "batch_rows"):
        if vars(arguments)[name] is not None and vars(arguments)[name] < 1:
            raise UserError(f"--{name.replace('_', '-')} is {vars(arguments)[name]}; it must be at least 1.")
    split = load_data(chosen, tell=tell)
    engine, rows = load_engine(chosen, examples=split.examples), split.test[: arguments.limit]
    data = (
        f"{len(rows)} of the {len(split.test)} {'test rows' if split.train else 'rows'} of {public_path(chosen.data)}"
    )
    if long := find_long(engine.chat, rows, room=engine.room):
        tell(
            f"{len(long)} row(s) are longer than the model takes and lose the middle of their news (rows {list_rows(long)})"
        )
    with tqdm(total=len(rows), unit="row") as bar:
        summary = evaluate(engine, rows, folder, batch_rows=arguments.batch_rows, progress=bar.update, data=data)
    print(format_table(summary))
    if arguments.json:
        arguments.json.write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"answers and summary in {folder}")
    if (
        folder.name == card.EVALUATION
        and folder.parent.resolve() == Path(chosen.adapter).resolve()
        and (folder.parent / RUN_FILE).exists()
    ):
        card.write_card(folder.parent, chosen.model)
        print(f"the table is in the card of {folder.parent}")


if __name__ == "__main__":
    sys.exit(main())
