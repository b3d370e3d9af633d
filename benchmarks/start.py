"""From the command to a page that answers, on a warm disk, and the memory that it holds at rest; with --before beside an earlier checkout's.

python -m benchmarks.start [--runs 5] [--before ../before]        a worktree of commit 4c22b7d

Both pages have today's weights and data. A page counts as there when it has given its first document and the settings that its script asks for; at rest means REST seconds later.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.paths import ASSETS
from newsft.recipe import RECIPES
from tests.serve import free_port

REST = 5.0  # seconds
LIMIT = 120.0


def start(folder: Path) -> tuple[float, float]:
    """Seconds until the page of that checkout answers, and megabytes that its processes hold at rest, shared pages once."""
    recipe, port = RECIPES["mini"], free_port()
    flags = ["--model", recipe.model, "--adapter", recipe.adapter, "--data", recipe.data]
    settings = {"cwd": folder, "env": os.environ | {"PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1"}}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    begun = time.perf_counter()
    page = subprocess.Popen([sys.executable, "app.py", "--port", str(port), *flags], **settings, **quiet)
    try:
        wait_for(page, f"http://127.0.0.1:{port}", begun)
        seconds = time.perf_counter() - begun
        time.sleep(REST)
        family = [psutil.Process(page.pid), *psutil.Process(page.pid).children(recursive=True)]
        return seconds, sum(one.memory_full_info().pss for one in family) / 1e6
    finally:
        page.send_signal(signal.SIGTERM)
        page.wait()


def wait_for(page: subprocess.Popen, url: str, begun: float) -> None:
    """Until it answers; ends this program where it cannot."""
    while page.poll() is None and time.perf_counter() - begun < LIMIT:
        with suppress(httpx.TransportError):
            if all(httpx.get(f"{url}{path}").status_code == 200 for path in ("/", "/config")):
                return
        time.sleep(0.02)
    sys.exit(f"no page at {url} after {LIMIT:.0f} s, or it has ended")


def main() -> None:
    """Print the medians and, last, one JSON line."""
    parser = Flags(__doc__, runs=1)
    parser.add_argument("--runs", type=int, default=5, help="starts of each checkout, in turn")
    parser.add_argument("--before", type=Path, help="an earlier checkout, whose page is started too")
    arguments = parser.parse_args()
    folders = {"here": ASSETS.parent} | ({"before": arguments.before.resolve()} if arguments.before else {})
    runs = [{name: start(folder) for name, folder in folders.items()} for _ in range(arguments.runs)]
    found = {}
    for place, unit in enumerate(("s", "mb")):
        for name in folders:
            found[f"{name}_{unit}"] = round(statistics.median(run[name][place] for run in runs), 2)
        if arguments.before:
            ratios = [run["before"][place] / run["here"][place] for run in runs]
            found[f"before_against_here_{unit}"] = round(statistics.median(ratios), 2)
    print_result(found | {"runs": arguments.runs})


if __name__ == "__main__":
    main()
