"""Take the documents' screenshots from the running page: python -m scripts.screenshots"""

from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.chromium import CHROMIUM, FLAGS
from tests.serve import serve

FOLDER = Path(__file__).parents[1] / "assets" / "screenshots"
COMPARE = {
    "compare-ko": ("", 1280, False, 0),
    "compare-en-dark": ("/?lang=en&__theme=dark", 1280, False, 0),
    "compare-phone": ("", 375, True, 0),
}
LESSON = {"template-ko": "챗 템플릿", "tokens-ko": "토큰·레이블·마스크", "lab-ko": "고장 실험실"}

# A browser leaves out the tokens that are out of sight, and a picture of the whole page would show them empty.
PAINT = "() => { scrollTo(0, 0); document.head.insertAdjacentHTML('beforeend', '<style>* { content-visibility: visible !important }</style>') }"


def compare_example(page: Page, number: int) -> None:
    """Choose an example, press the button, wait for both answers."""
    page.locator("#examples button").nth(number).click()
    page.wait_for_function("() => document.querySelector('#news textarea').value")
    page.click("button#compare")
    for side in ("base", "tuned"):
        page.wait_for_selector(f'#{side} section[aria-busy="false"]', timeout=60_000)
    page.wait_for_timeout(500)


def open_tab(page: Page, label: str) -> None:
    """Open a tab of the lesson; where it shows tokens, choose the last one of the answer's header."""
    page.get_by_role("tab", name=label).click()
    page.wait_for_selector(".rendered:visible, .tokens:visible", timeout=60_000)
    page.wait_for_timeout(1500)
    if page.locator(".tokens:visible").count():
        page.locator(".tokens:visible").first.locator("i").nth(38).click()
    page.wait_for_timeout(500)


def show_trainer(page: Page) -> None:
    """In the lab: choose a trainer whose row differs, and walk to the first token that does."""
    page.locator("#trainer-name").get_by_text("torchtune").click()
    page.wait_for_function("() => document.querySelectorAll('#trainer-rows .theirs i.t').length > 15", timeout=60_000)
    page.locator("#trainer-rows .theirs i.t").first.click()


def take(page: Page, name: str) -> None:
    """The whole page."""
    path = FOLDER / f"{name}.png"
    page.evaluate(PAINT)
    page.wait_for_timeout(500)
    page.screenshot(path=path, full_page=True)
    _reduce(path)


def take_part(page: Page, name: str, first: str, last: str) -> None:
    """What lies between the top of `first` and the bottom of `last`, of the width of the page."""
    page.evaluate("() => scrollTo(0, 0)")
    top, bottom = (page.locator(selector).bounding_box() for selector in (first, last))
    path = FOLDER / f"{name}.png"
    clip = {"x": 0, "y": top["y"], "width": 1280, "height": bottom["y"] + bottom["height"] - top["y"]}
    page.screenshot(path=path, full_page=True, clip=clip)
    _reduce(path)


def _reduce(path: Path) -> None:
    """In 256 colours: a third of the size, and the eye sees no difference."""
    with Image.open(path) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def main() -> None:
    """Write every screenshot."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serve() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, (query, width, phone, number) in COMPARE.items():
            context = browser.new_context(viewport={"width": width, "height": 800}, is_mobile=phone, has_touch=phone)
            page = context.new_page()
            page.goto(address + query)
            page.wait_for_selector("button#compare")
            page.wait_for_timeout(800)
            compare_example(page, number)
            take(page, name)
            context.close()
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.wait_for_selector("button#compare")
        for name, label in LESSON.items():
            open_tab(page, label)
            if name == "lab-ko":
                show_trainer(page)
            take(page, name)
        page.get_by_role("tab", name="평가").click()
        page.wait_for_selector("#scores .chart", timeout=60_000)
        page.locator("#open-row input").fill("12")
        page.locator("#open-row input").press("Enter")
        page.wait_for_selector("#xray .tinted", timeout=60_000)
        page.wait_for_timeout(1500)
        take(page, "evaluation-ko")
        page.get_by_role("tab", name="학습").click()
        page.wait_for_selector("#history-plot svg.marks", timeout=60_000)
        if page.locator("button#grow").count():  # an adapter that was kept at no step has nothing to ask
            page.click("button#grow")
            page.wait_for_selector("#growth-pair .side", timeout=60_000)
        page.evaluate(PAINT)
        page.wait_for_timeout(1000)
        take_part(page, "training-ko", "#heading", "#growth-plot")  # what is below has a picture of its own
        page.click("#train-start")
        page.wait_for_selector("#train-download:not([disabled])", timeout=300_000)
        page.wait_for_timeout(1500)
        take_part(page, "own-run-ko", "#train-source", "#train-plot")
        browser.close()


if __name__ == "__main__":
    main()
