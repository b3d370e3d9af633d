import re
import time

import pytest
from playwright.sync_api import Page, expect

from newsft.data.rows import split_rows
from newsft.inference.decoder import Decoder
from tests.browser.conftest import open_page
from tests.serve import serve_here

DONE = re.compile("스스로 끝냄|길이 한도")
SECONDS = 60_000
# Within the page: from outside, a click may come when a short answer is already complete and the button is off again.
COMPARE_AND_STOP = """() => new Promise((done, fail) => {
    const begun = performance.now();
    const look = () => {
        const stop = document.querySelector("button#stop");
        if (!stop.disabled && document.querySelector("#tuned .raw")?.innerText) { stop.click(); done(); }
        else if (performance.now() - begun > 60000) fail(new Error("no answer began"));
        else setTimeout(look, 5);
    };
    document.querySelector("button#compare").click();
    look();
})"""


def paste(page: Page, text: str) -> None:
    page.fill("#news textarea", text)


def wait_for_answers(page: Page) -> None:
    for side in ("base", "tuned"):
        expect(page.locator(f"#{side} .stats")).to_contain_text(DONE, timeout=SECONDS)


def test_pasted_article_is_answered_side_by_side_with_fields(page, rows):
    row = next(row for row in rows if row["assistant"]["is_stock_related"])
    paste(page, row["user_prompt"])
    page.click("button#compare")
    wait_for_answers(page)
    base, tuned = page.locator("#base .raw").inner_text(), page.locator("#tuned .raw").inner_text()
    assert tuned.startswith("{'is_stock_related'") and tuned != base
    expect(page.locator("#tuned .fields")).to_contain_text("관련 있음")
    expect(page.locator("#tuned .chip.stock").first).to_be_visible()
    expect(page.locator("#footer")).to_contain_text("토큰")
    expect(page.locator("button#compare")).to_be_enabled()


def test_example_and_ctrl_enter_start_a_comparison_and_text_grows(page):
    page.locator("#examples tbody tr, #examples button").first.click()
    expect(page.locator("#news textarea")).not_to_have_value("")
    page.locator("#news textarea").press("Control+Enter")
    expect(page.locator("#tuned .raw")).to_be_visible(timeout=SECONDS)
    wait_for_answers(page)


@pytest.fixture
def slow_page(browser, engine, rows, monkeypatch):
    """A page whose model waits before every step: on a busy machine a short answer is complete before the browser has heard of its first words."""
    step = Decoder.step

    def wait(decoder: Decoder) -> dict:
        time.sleep(0.05)
        return step(decoder)

    monkeypatch.setattr(Decoder, "step", wait)
    with serve_here(engine, split_rows(rows, test_ratio=0.5)) as url:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        open_page(page, url)
        yield page
        context.close()


def test_stop_in_the_middle_keeps_the_text_and_the_next_comparison_works(slow_page, rows):
    page = slow_page
    paste(page, rows[0]["user_prompt"])
    page.evaluate(COMPARE_AND_STOP)
    expect(page.locator("#tuned .stats")).to_contain_text("사용자가 멈춤", timeout=SECONDS)
    assert page.locator("#tuned .raw").inner_text()
    expect(page.locator("button#compare")).to_be_enabled()
    paste(page, rows[1]["user_prompt"])
    page.click("button#compare")
    wait_for_answers(page)


def test_empty_news_says_what_to_do_and_the_page_stays_usable(page, rows):
    page.click("button#compare")
    expect(page.locator(".toast-body, .toast-wrap").first).to_contain_text("뉴스가 비어 있습니다", timeout=SECONDS)
    expect(page.locator("button#compare")).to_be_enabled()
    paste(page, rows[1]["user_prompt"])
    page.click("button#compare")
    wait_for_answers(page)


def test_language_switch_changes_the_page_and_its_lang(page):
    page.locator("#language").get_by_text("English").click()
    expect(page.locator("button#compare")).to_have_text("Compare")
    expect(page.locator("#heading h1")).to_contain_text("side by side")
    expect(page.locator("#tuned")).to_contain_text("Fine-tuned model")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.locator("#language").get_by_text("한국어").click()
    expect(page.locator("button#compare")).to_have_text("비교")
    assert page.evaluate("document.documentElement.lang") == "ko"


def test_page_opens_in_english_by_its_address(browser, address):
    context = browser.new_context()
    page = context.new_page()
    open_page(page, address + "/?lang=en")
    expect(page.locator("button#compare")).to_have_text("Compare")
    context.close()


def test_phone_width_has_no_sideways_scrolling_and_stacks_the_answers(browser, address, rows):
    context = browser.new_context(viewport={"width": 375, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_page(page, address)
    paste(page, rows[0]["user_prompt"])
    page.click("button#compare")
    wait_for_answers(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    base, tuned = page.locator("#base").bounding_box(), page.locator("#tuned").bounding_box()
    assert tuned["y"] >= base["y"] + base["height"] - 1
    assert base["width"] >= 300
    context.close()


@pytest.mark.parametrize(
    "news",
    [
        "<img src=x onerror=alert(1)>",
        "<script>alert(1)</script>",
        "${alert(1)} {{constructor}}",
        "</textarea><svg onload=alert(1)>",
    ],
)
def test_markup_in_the_news_runs_nothing(page, news):
    paste(page, f"가온미르전자가 공급 계약을 맺었다. {news}")
    page.click("button#compare")
    wait_for_answers(page)
    assert page.locator("#answers img, #answers script, #answers svg").count() == 0


def test_two_readers_at_once_get_their_own_answers(browser, address, rows):
    chosen = [row for row in rows if len(row["assistant"]["positive_impact_stocks"] or []) == 1][:2]
    contexts = [browser.new_context() for _ in chosen]
    pages = [context.new_page() for context in contexts]
    for page, row in zip(pages, chosen, strict=True):
        open_page(page, address)
        paste(page, row["user_prompt"])
    for page in pages:
        page.click("button#compare")
    for page, row in zip(pages, chosen, strict=True):
        wait_for_answers(page)
        others = [other["assistant"]["positive_impact_stocks"][0] for other in chosen if other is not row]
        assert others[0] not in page.locator("#tuned .raw").inner_text()
    for context in contexts:
        context.close()


def test_language_switch_says_a_finished_comparison_again(page, rows):
    paste(page, rows[1]["user_prompt"])
    page.click("button#compare")
    wait_for_answers(page)
    text = page.locator("#tuned .raw").inner_text()
    page.locator("#language").get_by_text("English").click()
    expect(page.locator("#tuned .stats")).to_contain_text("ended by itself")
    assert page.locator("#tuned .raw").inner_text() == text
