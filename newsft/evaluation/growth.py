"""How well the adapter answers at each kept step of its training: the first test rows through all of them, scored, for the page's curve.

python -m newsft.evaluation.growth [--limit N] [--json FILE]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from newsft import recipe
from newsft.errors import UserError, command
from newsft.evaluation import generate, metrics
from newsft.evaluation.results import score_all
from newsft.evaluation.run import find_settings, load_data
from newsft.inference.engine import LocalEngine, load_engine
from newsft.models.growth import GROWTH
from newsft.models.hub import find_files

CURVE_FILE = "curve.json"  # beside the steps' files
ROWS, BATCH_ROWS = 60, 16  # enough rows to see the curve's shape; articles that are answered together


def measure_growth(
    engine: LocalEngine, rows: Sequence[dict], *, progress: Callable[[int], object] = lambda _: None
) -> dict:
    """The curve over `rows`, every measure with its interval for the base and for each step, from one batch of all of them.

    Raises UserError where the engine's adapter was kept at no step.
    """
    growth = engine.capabilities.growth
    if not growth:
        raise UserError(
            "The adapter was kept at no step of its training; train it with --keep-steps, such as `python train.py --keep-steps 0 10 25 50 100 200`."
        )
    rows, sides = list(rows), ["base", *growth.values()]
    found = []
    for numbers in generate.plan_batches(engine, rows, batch_rows=BATCH_ROWS):
        found += generate.generate_batch(engine, rows, numbers, sides=sides)
        progress(len(numbers))
    scores = {side: _keep(metrics.score(scored)) for side, scored in score_all(rows, found).items()}
    return {
        "settings": find_settings(engine, rows),
        "date": time.strftime("%Y-%m-%d"),
        "base": scores["base"],
        "points": [{"step": step} | scores[side] for step, side in growth.items()],
    }


def _keep(summary: dict) -> dict:
    return {name: summary[name] for name in (*metrics.MEASURES, "intervals")}


def read_curve(adapter: Path) -> dict | None:
    """The curve beside an adapter; None where none was computed. Raises UserError for a damaged file."""
    path = adapter / GROWTH / CURVE_FILE
    if not path.exists():
        return None
    try:
        curve = json.loads(path.read_text(encoding="utf-8"))
        if missing := [name for name in ("settings", "base", "points") if name not in curve]:
            raise ValueError(f"it has no {', '.join(missing)}")
        if wrong := [
            n for n in (curve["settings"]["rows"], *(one["step"] for one in curve["points"])) if type(n) is not int
        ]:
            raise ValueError(f"{wrong[0]!r:.40} is no whole number")
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = (
            f"{path} is damaged ({error}); compute it again with `python -m newsft.evaluation.growth`, or delete it."
        )
        raise UserError(message, key="damaged_curve", path=str(path)) from error
    return curve


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as far as they matter here, how many rows, and where the curve goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    recipe.add_flags(parser, only=("model", "data", "adapter", "quantize", "attention", "test_ratio", "max_new_tokens"))
    parser.add_argument("--limit", type=int, default=ROWS, help="the first N test rows (default: %(default)s)")
    parser.add_argument(
        "--json", type=Path, help="file for the curve (default: growth/curve.json in the adapter's folder)"
    )
    return parser.parse_args()


@command()
def main() -> None:
    """Compute the curve and print it."""
    arguments = parse_flags()
    if arguments.limit < 1:
        raise UserError(f"--limit is {arguments.limit}; it must be at least 1.")
    chosen = recipe.from_flags(arguments)
    split = load_data(chosen, tell=lambda text: print(f"note: {text}", file=sys.stderr))
    engine, rows = load_engine(chosen, examples=split.examples), split.test[: arguments.limit]
    path = arguments.json or find_files(chosen.adapter, what="adapter") / GROWTH / CURVE_FILE
    with tqdm(total=len(rows), unit="row") as bar:
        curve = measure_growth(engine, rows, progress=bar.update)
    path.write_text(json.dumps(curve, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    for point in curve["points"]:
        shown = (f"{name} {'–' if point[name] is None else f'{point[name]:.1%}'}" for name in ("readable", "stock_f1"))
        print(f"step {point['step']}: {', '.join(shown)}")
    print(f"curve in {path}")


if __name__ == "__main__":
    sys.exit(main())
