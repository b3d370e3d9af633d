"""The articles for choosing, and the same in two forms in which news also comes: how much less well the tuned model reads these.

python -m benchmarks.forms [--adapter my-first] [--rows 12]

crawled     as the published rows of the lesson's real data set: a headline and one line below it, a space in the place of quotation marks, brackets, commas and colons
sentence    the sentence alone that a reason was copied from, where it names the company and none of the other side
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.evaluation.sources import split_sentences
from newsft.mini.copying import copied_from
from newsft.recipe import RECIPES

ROOT = Path(__file__).parents[1]
ROWS = ROOT / "tests" / "data" / "choosing.json"
TAKEN = re.compile(r"[\"'“”‘’()\[\]{}<>《》〈〉「」『』,:;!?\s]+")
MEASURES = ("readable", "stock_f1", "direction_accuracy", "grounded", "loops")
Row = tuple[str, dict]  # news, gold answer


def take_signs(text: str) -> str:
    """The text in one line, each run of such signs and of white space one space."""
    return TAKEN.sub(" ", text).strip()


def as_crawled(news: str, answer: dict) -> Row:
    """The article and its answer without these signs; what the answer copies still stands in the article."""

    def take_all(value: object) -> object:
        if isinstance(value, list):
            return list(map(take_signs, value))
        return take_signs(value) if isinstance(value, str) else value

    headline, *body = (line for line in map(take_signs, news.split("\n")) if line)
    taken = {key: take_all(value) for key, value in answer.items()}
    return "\n".join([headline, " ".join(body)] if body else [headline]), taken


def cut_to_sentences(news: str, answer: dict) -> list[Row]:
    """For each side the sentence behind its reason with what the answer then is, where the sentence says by itself whom it moves."""
    found = []
    for side, other in (("positive", "negative"), ("negative", "positive")):
        reason = answer[f"reason_for_{side}_impact"]
        source = next((one for one in split_sentences(news) if reason and copied_from(reason, [one]) is None), "")
        named = [stock for stock in answer[f"{side}_impact_stocks"] or [] if stock in source]
        if named and not any(stock in source for stock in answer[f"{other}_impact_stocks"]):
            said = {
                f"{side}_impact_stocks": named,
                f"{side}_keywords": [word for word in answer[f"{side}_keywords"] if word in source],
                f"{other}_impact_stocks": [],
                f"{other}_keywords": [],
                f"reason_for_{other}_impact": "",
                "summary": reason,
            }
            found.append((source, answer | said))
    return found


def measure(rows: list[Row], adapter: str, folder: Path) -> dict[str, float | None]:
    """The tuned model's scores on these rows, in per cent, by the command that everyone uses; None where no row says."""
    data, summary = folder / "rows.json", folder / "summary.json"
    data.write_text(
        json.dumps([{"user_prompt": news, "assistant": answer} for news, answer in rows], ensure_ascii=False),
        encoding="utf-8",
    )
    flags = ["--adapter", adapter, "--data", str(data), "--output", str(folder / "answers"), "--json", str(summary)]
    subprocess.run([sys.executable, "-m", "newsft.evaluation", *flags], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    scores = json.loads(summary.read_text(encoding="utf-8"))["tuned"]
    return {name: scores[name] and round(100 * scores[name], 1) for name in MEASURES}


def main() -> None:
    """Print the scores of the three forms and, last, one JSON line."""
    parser = Flags(__doc__, rows=4)
    parser.add_argument("--rows", type=int, default=0, help="only the first so many articles; 0 takes all 180")
    parser.add_argument(
        "--adapter", default=RECIPES["mini"].adapter, help="an adapter of one's own (default: the shipped one)"
    )
    arguments = parser.parse_args()
    written = json.loads(ROWS.read_text(encoding="utf-8"))[: arguments.rows or None]
    articles = [(row["user_prompt"], row["assistant"]) for row in written]
    forms = {
        "written": articles,
        "crawled": [as_crawled(*article) for article in articles],
        "sentence": [cut for article in articles for cut in cut_to_sentences(*article)],
    }
    result = {}
    for name, rows in forms.items():
        with tempfile.TemporaryDirectory() as folder:
            result[name] = {"rows": len(rows)} | (measure(rows, arguments.adapter, Path(folder)) if rows else {})
    print_result(result)


if __name__ == "__main__":
    main()
