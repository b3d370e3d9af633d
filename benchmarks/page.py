"""The page as a reader sees it, in Chromium: from the click on 비교 to the first text and to both complete answers.

python -m benchmarks.page
"""

import json
import statistics

from playwright.sync_api import Page, sync_playwright

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.paths import ASSETS
from tests import programs
from tests.chromium import CHROMIUM, FLAGS
from tests.serve import serve

# Times are taken inside the browser, from the click on: the first paint that shows model text, and the one that shows both figures.
WATCH = """() => new Promise((resolve) => {
  const begun = performance.now(), times = {};
  const look = () => {
    const sides = ["base", "tuned"].map((side) => document.getElementById(side));
    const texts = sides.map((side) => side.querySelector(".raw")?.innerText ?? "");
    if (!times.first && texts.some((text) => text)) times.first = performance.now() - begun;
    if (sides.every((side) => side.querySelector("section")?.getAttribute("aria-busy") === "false")) {
      times.both = performance.now() - begun;
      resolve(times);
    } else requestAnimationFrame(look);
  };
  document.querySelector("button#compare").click();
  setTimeout(() => requestAnimationFrame(look), 30);  // the click first clears the columns of the run before
})"""


def measure(page: Page, article: str) -> dict[str, float]:
    """One comparison's times in seconds."""
    page.click("button#clear")
    page.wait_for_function("() => !document.querySelector('#tuned .raw')")
    page.fill("#news textarea", article)
    times = page.evaluate(WATCH)
    page.wait_for_selector("button#compare:not([disabled])")
    return {name: value / 1000 for name, value in times.items()}


def main() -> None:
    """Print the medians and, last, one JSON line."""
    parser = Flags(__doc__, runs=1)
    parser.add_argument(
        "--runs", type=int, default=7, help="how many, of which the median counts (default: %(default)s)"
    )
    arguments = parser.parse_args()
    article = json.loads((ASSETS / "examples.json").read_text(encoding="utf-8"))[0]["text"]
    with serve("--no-sharing", start=programs.start_new) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.wait_for_selector("button#compare")
        measure(page, article)  # the first comparison also computes the system prompt's cache
        runs = [measure(page, article) for _ in range(arguments.runs)]
        browser.close()
    result = {"article_characters": len(article), "runs": arguments.runs}
    result |= {
        name: round(statistics.median(run[key] for run in runs), 2)
        for name, key in (("first_text_s", "first"), ("both_answers_s", "both"))
    }
    print_result(result)


if __name__ == "__main__":
    main()
