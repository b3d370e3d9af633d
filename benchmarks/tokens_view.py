"""The token tab in Chromium: from the choice of a row to the paint of its chips, for rows of about 2,887 and 6,000 tokens.

python -m benchmarks.tokens_view
"""

import statistics

from playwright.sync_api import Page, sync_playwright

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.rows import load_rows
from newsft.encoding.llama3 import llama3_chat
from newsft.paths import ASSETS
from tests import programs
from tests.chromium import CHROMIUM, FLAGS
from tests.serve import serve

SIZES = (2_887, 6_000)
TAB = "토큰·레이블·마스크"
# From the moment the text leaves its field to the frame after the one in which the new chips stand.
WATCH = """(count) => new Promise((resolve) => {
  const begun = performance.now();
  const look = () => {
    if (document.querySelectorAll("#row .tokens i").length === count) requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
    else requestAnimationFrame(look);
  };
  document.activeElement.blur();
  requestAnimationFrame(look);
})"""


def long_news(size: int) -> tuple[str, int]:
    """News that makes the tab's own-text row at least `size` tokens long, and the row's exact length."""
    chat, rows = llama3_chat(), load_rows(str(ASSETS / "news.jsonl"))
    news, number = "", 0
    while True:
        news += rows[number]["user_prompt"] + "\n"
        number += 1
        messages = [{"role": "user", "content": news.strip()}, {"role": "assistant", "content": "답"}]
        if (length := len(chat.encode_row(messages))) >= size:
            return news.strip(), length


def measure(page: Page, size: int, runs: int) -> list[float]:
    """Seconds from leaving the field to the painted chips, once a run; a short text in between."""
    news, length = long_news(size)
    times = []
    for _ in range(runs):
        for text, count in (("짧은 글", None), (news, length)):
            page.fill("#tokens-user textarea", text)
            page.focus("#tokens-user textarea")
            if count is None:
                page.locator("#tokens-user textarea").blur()
                page.wait_for_function("() => document.querySelectorAll('#row .tokens i').length < 100")
            else:
                times.append(page.evaluate(WATCH, count) / 1000)
    return times


def main() -> None:
    """Print the medians and, last, one JSON line."""
    parser = Flags(__doc__, runs=1)
    parser.add_argument(
        "--runs", type=int, default=7, help="how many, of which the median counts (default: %(default)s)"
    )
    arguments = parser.parse_args()
    with serve(start=programs.start_new) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.get_by_role("tab", name=TAB).click()
        page.wait_for_selector("#row .tokens i", timeout=60_000)
        page.locator("#tokens-source input").nth(2).check()
        page.fill("#tokens-system textarea", "")
        page.fill("#tokens-assistant textarea", "답")
        results = {f"row_{size}_s": round(statistics.median(measure(page, size, arguments.runs)), 3) for size in SIZES}
        browser.close()
    print_result(results)


if __name__ == "__main__":
    main()
