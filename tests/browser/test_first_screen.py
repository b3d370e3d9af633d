"""What a reader sees before touching anything: the language that the address asks for, the button, and both columns."""

import json
import re
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import open_page

HANGUL = re.compile("[가-힣]")
# Keeps every text that stands on the page at any time from the first paint on.
WATCH = """(() => {
  window.seen = new Set();
  const look = () => { for (const element of document.querySelectorAll("h1, button, #heading p, .side h3, .side p, .label, label > span")) window.seen.add(element.innerText.trim()); };
  new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true });
})()"""


@pytest.fixture
def open_at(browser, address):
    """(query, width, height) -> the page, which has been watched from its first paint on."""
    contexts = []

    def open_it(query: str, width: int, height: int):
        contexts.append(
            browser.new_context(
                viewport={"width": width, "height": height}, is_mobile=width < 600, has_touch=width < 600
            )
        )
        page = contexts[-1].new_page()
        page.add_init_script(WATCH)
        open_page(page, address + query)
        return page

    yield open_it
    for context in contexts:
        context.close()


def test_english_page_is_english_from_its_first_paint(open_at):
    page = open_at("/?lang=en", 1280, 900)
    expect(page.locator("button#compare")).to_have_text("Compare")
    page.wait_for_timeout(500)
    seen = page.evaluate("[...window.seen]")
    assert any("side by side" in text for text in seen) and "Supply contract won" in seen
    assert [text for text in seen if HANGUL.search(text.replace("한국어", ""))] == []
    assert page.evaluate("document.documentElement.lang") == "en"
    expect(page.locator("#language [data-testid=block-info]")).to_have_text("Language")


def test_description_of_the_english_page_has_korean_only_where_the_lesson_is_korean(address):
    found = {}
    for query in ("/", "/?lang=en", "/?lang=xx"):
        page = urllib.request.urlopen(address + query).read().decode()
        components = json.loads(page.partition("window.gradio_config = ")[2].partition(";</script>")[0])["components"]
        found[query] = {
            one["id"]: [one["props"].get(name) for name in ("label", "placeholder", "info", "samples", "choices")]
            for one in components
        }
    assert found["/"] == found["/?lang=xx"]
    assert [
        said
        for said in found["/?lang=en"].values()
        if HANGUL.search(json.dumps(said, ensure_ascii=False).replace("한국어", ""))
    ] == []


def test_switch_after_an_english_start_works_both_ways(open_at):
    page = open_at("/?lang=en", 1280, 900)
    page.locator("#language").get_by_text("한국어").click()
    expect(page.locator("button#compare")).to_have_text("비교")
    expect(page.locator("#examples")).to_contain_text("공급 계약 수주")
    page.locator("#language").get_by_text("English").click()
    expect(page.locator("button#compare")).to_have_text("Compare")
    page.locator("#examples button").first.click()
    expect(page.locator("#news textarea")).not_to_have_value("")


@pytest.mark.parametrize("query", ["", "/?lang=en"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (375, 812)])
def test_button_and_both_columns_are_on_the_first_screen(open_at, query, width, height):
    page = open_at(query, width, height)
    page.wait_for_timeout(500)
    for chosen in (False, True):
        if chosen:  # a long article must not push them out
            page.locator("#examples button").first.click()
            expect(page.locator("#news textarea")).not_to_have_value("")
            page.wait_for_timeout(300)
        for seen in ("button#compare", "#base h3", "#tuned h3"):
            box = page.locator(seen).bounding_box()
            assert (
                box["y"] >= 0
                and box["y"] + box["height"] <= height
                and box["x"] >= 0
                and box["x"] + box["width"] <= width
            ), (seen, box)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
