"""Put the shipped evaluation's table and the training's time into both READMEs: python -m scripts.fill_readme"""

import json
import re
from pathlib import Path

from newsft.evaluation.results import SUMMARY_FILE
from newsft.evaluation.table import format_table
from newsft.paths import ASSETS

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Rewrite what stands between the markers."""
    folder = ASSETS / "mini-news"
    table = format_table(json.loads((folder / "evaluation" / SUMMARY_FILE).read_text(encoding="utf-8")))
    minutes = json.loads((folder / "run.json").read_text(encoding="utf-8"))["seconds"] / 60
    for name in ("README.md", "README.ko.md"):
        path = ROOT / name
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"<!--scores-->.*?<!--/scores-->", lambda _: f"<!--scores-->\n{table}\n<!--/scores-->", text, flags=re.DOTALL)
        text = re.sub(r"<!--train-minutes-->.*?<!---->", f"<!--train-minutes-->{minutes:.0f}<!---->", text)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
