"""Several adapters in the tab 답변 비교, and what comes next in an answer: by mouse, by keyboard and on a phone."""

import pytest
from playwright.sync_api import Page, expect

from newsft.page.texts import say
from tests.browser.conftest import open_page
from tests.browser.test_compare import paste
from tests.growth import SHIPPED
from tests.inference.test_adapters import write_other, write_weaker
from tests.serve import serve

SECONDS = 60_000
NEWS = "가람누리테크가 1,200억 원 규모의 전력 반도체 공급 계약을 체결했다."


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """The address of a page with three adapters and short answers."""
    root = tmp_path_factory.mktemp("adapters")
    folders = [SHIPPED, write_weaker(root / "silent"), write_other(root / "other")]
    with serve("--max-new-tokens", "40", "--adapter", *map(str, folders)) as url:
        yield url


@pytest.fixture(params=[("", 1280), ("/?lang=en&__theme=dark", 375)], ids=["desk", "phone"])
def opened(browser, several, request):
    """(page, its language) at both widths."""
    query, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    open_page(page, several + query)
    yield page, "en" if "en" in query else "ko"
    context.close()


def compare(page: Page) -> None:
    paste(page, NEWS)
    page.click("button#compare")
    for side in ("base", "tuned"):
        expect(page.locator(f'#{side} section[aria-busy="false"]')).to_be_visible(timeout=SECONDS)


def test_chosen_adapter_answers_and_is_named(opened):
    page, language = opened
    page.click("#adapter input")
    expect(page.get_by_role("option")).to_have_count(3)
    page.get_by_role("option", name="silent").click()
    compare(page)
    expect(page.locator("#tuned header")).to_contain_text(say("tuned_note_named", language, name="silent"))
    expect(page.locator("#footer [role=alert]")).to_contain_text(say("alarm_no_difference", language))
    page.locator("details.receipt summary").click()
    expect(page.locator("details.receipt")).to_contain_text("silent")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_place_in_an_answer_is_chosen_by_the_keyboard_and_the_button_goes_where_they_part(opened):
    page, language = opened
    page.locator("#next button").first.click()
    page.click("button#next-look")
    expect(page.locator("#next-view [role=alert]")).to_contain_text(
        say("error_next_nothing", language), timeout=SECONDS
    )
    compare(page)
    page.locator("#next-side").get_by_text(say("base", language)).click()
    page.click("button#next-look")
    view = page.locator("#next-view")
    expect(view.locator("tbody tr")).to_have_count(10, timeout=SECONDS)
    places = int(page.locator("#next-place input[type=range]").get_attribute("max"))
    page.locator("#next-place input[type=range]").focus()
    page.keyboard.press("ArrowRight")
    shown = {"all": f"{places:,}"}
    expect(view).to_contain_text(say("next_place", language, place="2", **shown), timeout=SECONDS)
    page.click("button#next-parting")
    expect(page.locator("#next-place input[type=range]")).to_have_value(str(find_parting(page)), timeout=SECONDS)
    likeliest = [view.locator(f"table.{side} tbody tr").first.locator("td").first for side in ("base", "tuned")]
    assert likeliest[0].inner_text() != likeliest[1].inner_text()
    expect(view.locator("table.base tbody tr").first).to_contain_text(say("next_written", language))
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.click("button#compare")  # another comparison begins: what was seen of the last one is gone
    expect(view.locator("table")).to_have_count(0, timeout=SECONDS)


def find_parting(page: Page) -> int:
    """The place that the page names as the parting."""
    return int("".join(filter(str.isdigit, page.locator("#next-view .where strong").inner_text())))


def test_page_with_one_adapter_offers_no_choice(page):
    expect(page.locator("button#compare")).to_be_visible()
    expect(page.locator("#adapter input")).to_have_count(0)
