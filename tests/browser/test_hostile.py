"""What a browser makes of hostile model output and of a refused request, and whom it may ask."""

import threading

import pytest
from playwright.sync_api import Page, expect

from newsft.data.rows import split_rows
from newsft.inference.detokenizer import IncrementalDetokenizer
from newsft.inference.engine import LocalEngine
from newsft.page import middleware
from newsft.page.texts import say
from tests.browser.conftest import open_page
from tests.browser.test_compare import SECONDS, paste, wait_for_answers
from tests.page.test_hostile import MARKUP
from tests.serve import serve_here


@pytest.fixture(scope="module")
def here(engine, rows):
    """A page in this process, whose model the tests can change."""
    with serve_here(
        LocalEngine(engine.loaded, max_new_tokens=8, shares=False), split_rows(rows, test_ratio=0.5)
    ) as url:
        yield url


@pytest.fixture
def page(browser, here):
    context = browser.new_context()
    page = context.new_page()
    open_page(page, here)
    yield page
    context.close()


def test_markup_that_the_model_writes_runs_nothing(page: Page, rows, monkeypatch):
    written = " ".join(MARKUP)
    monkeypatch.setattr(IncrementalDetokenizer, "add", lambda stream, token: written)
    monkeypatch.setattr(IncrementalDetokenizer, "finish", lambda stream: written)
    paste(page, rows[0]["user_prompt"])
    page.click("button#compare")
    wait_for_answers(page)
    assert page.locator("#tuned .raw").inner_text().startswith(MARKUP[0])
    assert (
        page.locator(
            "#answers :is(img, script, svg, iframe, style, base, a, math), #footer :is(img, script, iframe)"
        ).count()
        == 0
    )
    assert page.evaluate("document.baseURI").startswith(page.url.rstrip("/"))


def test_request_that_the_server_refuses_is_said_and_the_buttons_come_back(page: Page, rows, monkeypatch):
    monkeypatch.setattr(middleware, "MOST_BYTES", 1_000)
    paste(page, "가" * 2_000)
    page.click("button#compare")
    expect(page.locator(".toast-body, .toast-wrap").first).to_contain_text(
        say("error_request_too_large", "ko", limit=0), timeout=SECONDS
    )
    expect(page.locator("button#compare")).to_be_enabled(timeout=SECONDS)
    expect(page.locator("button#stop")).to_be_disabled()
    monkeypatch.undo()
    paste(page, rows[0]["user_prompt"])
    page.click("button#compare")
    wait_for_answers(page)


def test_reader_who_waits_sees_the_place_and_then_the_answer(page: Page, rows, monkeypatch):
    monkeypatch.setattr("newsft.page.tabs.compare_handlers.find_place", lambda *_: 7)
    go_on = threading.Event()
    monkeypatch.setattr(LocalEngine, "compare", _late(LocalEngine.compare, go_on))
    paste(page, rows[0]["user_prompt"])
    page.click("button#compare")
    expect(page.locator("#place")).to_contain_text(say("place", "ko", place=7), timeout=SECONDS)
    go_on.set()
    wait_for_answers(page)
    expect(page.locator("#place")).to_be_empty(timeout=SECONDS)


def _late(compare, go_on):
    """`compare`, once it may go on."""

    def later(*args, **settings):
        go_on.wait(60)
        yield from compare(*args, **settings)

    return later


def test_policy_keeps_the_page_from_asking_anyone_else(browser, here):
    page = browser.new_page()
    page.goto(here)
    page.wait_for_selector("#compare", timeout=SECONDS)
    blocked = page.evaluate(
        """async () => {
          const seen = [];
          document.addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
          await fetch("https://example.invalid/").catch(() => 0);
          for (const [tag, attribute] of [["img", "src"], ["script", "src"], ["iframe", "src"]])
            document.body.appendChild(Object.assign(document.createElement(tag), { [attribute]: "https://example.invalid/x" }));
          document.body.insertAdjacentHTML("beforeend", "<b onclick='document.title = 1'>x</b>");
          document.body.lastElementChild.click();
          await new Promise((resolve) => setTimeout(resolve, 500));
          return [...new Set(seen)].sort().concat(document.title);
        }"""
    )
    assert blocked == ["connect-src", "frame-src", "img-src", "script-src-attr", "script-src-elem", "newsft"]
    page.close()
