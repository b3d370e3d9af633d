"""Many clients press compare within a second: answered one comparison after the other, and together as the page does.

python -m benchmarks.crowd [--clients 100] [--runs 1]
"""

import argparse
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.result import print_result
from newsft import evaluation
from newsft.decoding import MOST_ROWS
from newsft.engine import Engine
from newsft.recipe import RECIPES

WITHIN = 1.0  # seconds in which all of them press


def serve(engine: Engine, rows: list[dict], *, at_once: int) -> tuple[float, list[float], list[dict]]:
    """Seconds until everyone has both answers, each client's seconds until the first text, and the answers; `at_once` comparisons run, the others queue."""
    places, begun = threading.Semaphore(at_once), time.perf_counter()

    def press(number: int) -> tuple[float, dict]:
        time.sleep(WITHIN * number / len(rows))
        pressed, first = time.perf_counter(), None
        with places:
            for comparison in engine.compare(rows[number]["user_prompt"], system_prompt=rows[number]["system_prompt"]):
                first = first or time.perf_counter() - pressed
        return first, {side: answer.text for side, answer in comparison.answers.items()}

    with ThreadPoolExecutor(len(rows)) as pool:
        served = list(pool.map(press, range(len(rows))))
    return time.perf_counter() - begun, [first for first, _ in served], [texts for _, texts in served]


def main() -> None:
    """Print both and, last, one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=100)
    parser.add_argument("--runs", type=int, default=1, help="runs of each kind, in turn")
    arguments = parser.parse_args()
    engine, split = evaluation.load_engine(RECIPES["mini"])
    rows = split.test[: arguments.clients]
    measured = [(serve(engine, rows, at_once=MOST_ROWS // 2), serve(engine, rows, at_once=1)) for _ in range(arguments.runs)]
    together, queue = measured[0]
    result = {
        "clients": len(rows),
        "together_s": round(statistics.median(ours[0] for ours, _ in measured), 1),
        "queue_of_one_s": round(statistics.median(theirs[0] for _, theirs in measured), 1),
        "speedup": round(statistics.median(theirs[0] / ours[0] for ours, theirs in measured), 2),
        "first_text_median_s": [round(statistics.median(one[1]), 1) for one in (together, queue)],
        "first_text_longest_s": [round(max(one[1]), 1) for one in (together, queue)],
        "same_texts": sum(ours == theirs for ours, theirs in zip(together[2], queue[2], strict=True)),
        "runs": arguments.runs,
    }
    print_result(result)


if __name__ == "__main__":
    main()
