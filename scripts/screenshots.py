"""Take the README's screenshots from the running page: python -m scripts.screenshots"""

from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.serve import serve

FOLDER = Path(__file__).parents[1] / "assets" / "screenshots"
SHOTS = {
    "compare-ko": ("", 1280, False, 0),
    "compare-en-dark": ("/?lang=en&__theme=dark", 1280, False, 2),
    "compare-phone": ("", 375, True, 5),
}


def compare_example(page: Page, number: int) -> None:
    """Choose an example, press the button, wait for both answers."""
    page.locator("#examples button").nth(number).click()
    page.wait_for_function("() => document.querySelector('#news textarea').value")
    page.click("button#compare")
    for side in ("base", "tuned"):
        page.wait_for_selector(f'#{side} section[aria-busy="false"]', timeout=60_000)
    page.wait_for_timeout(500)


def main() -> None:
    """Write every screenshot."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serve() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, (query, width, phone, number) in SHOTS.items():
            context = browser.new_context(viewport={"width": width, "height": 800}, is_mobile=phone, has_touch=phone)
            page = context.new_page()
            page.goto(address + query)
            page.wait_for_selector("button#compare")
            page.wait_for_timeout(800)
            compare_example(page, number)
            page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
