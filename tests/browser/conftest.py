import pytest
from playwright.sync_api import Browser, Download, Page, expect

from tests.serve import serve

expect.set_options(timeout=30_000)  # a machine that is busy takes longer than the five seconds that are usual


@pytest.fixture(scope="session")
def address():
    with serve("--no-sharing") as url:  # Stop and Clear want an answer that takes its time
        yield url


@pytest.fixture
def page(browser: Browser, address: str):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    open_page(page, address)
    yield page
    context.close()


def open_page(page: Page, address: str) -> None:
    """Open the page and fail on any dialog, error in a script or request to another host."""
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
    page.on("request", lambda request: _own(request.url, address))
    page.goto(address)
    page.wait_for_selector("#compare")


def press_until_download(page: Page, button: str, *, seconds: int = 60) -> Download:
    """Press a download button; until its file is there, it does nothing."""
    found: list[Download] = []
    page.on("download", lambda download: found.append(download))
    for _ in range(seconds):
        page.click(button)
        for _ in range(20):
            page.wait_for_timeout(50)
            if found:
                return found[0]
    pytest.fail(f"{button} gave no file")


def _own(url: str, address: str) -> None:
    host = address.split("//")[1].split("?")[0].rstrip("/")
    if url.startswith(("http:", "https:", "ws:")) and host not in url and "localhost" not in url:
        pytest.fail(f"the page asked another host: {url}")
