import os
import shutil

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.serve import serve

CHROMIUM = (
    os.environ.get("CHROMIUM")
    or shutil.which("chromium")
    or shutil.which("chromium-browser")
    or shutil.which("google-chrome")
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (scripts/install-browser does it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def address():
    with serve() as url:
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


def _own(url: str, address: str) -> None:
    host = address.split("//")[1].split("?")[0].rstrip("/")
    if url.startswith(("http:", "https:", "ws:")) and host not in url and "localhost" not in url:
        pytest.fail(f"the page asked another host: {url}")
