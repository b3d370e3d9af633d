import json
import re

import pytest
from playwright.sync_api import expect

from newsft.page.texts import say
from tests.browser.conftest import press_until_download

SECONDS = 60_000
DONE = re.compile("스스로 끝냄|길이 한도")


@pytest.fixture
def opened(page):
    page.get_by_role("tab", name="평가").click()
    expect(page.locator("#scores .chart")).to_be_visible(timeout=SECONDS)
    return page


def test_comparison_of_a_test_row_shows_fields_gold_and_receipt(page, rows):
    page.locator("#lesson-rows button, #lesson-rows tbody tr").nth(2).click()
    expect(page.locator("#news textarea")).to_have_value(rows[12]["user_prompt"])
    page.click("button#compare")
    for side in ("base", "tuned"):
        expect(page.locator(f"#{side} .stats")).to_contain_text(DONE, timeout=SECONDS)
    expect(page.locator("#tuned .score")).to_contain_text("정답과의 일치")
    expect(page.locator("#footer .gold")).to_contain_text("평가용 12번 행")
    receipt = page.locator("#footer .receipt")
    expect(receipt.locator("table")).not_to_be_visible()
    receipt.locator("summary").press("Enter")
    hashes = receipt.locator("tr", has_text="입력 id의 해시").locator("td").all_inner_texts()
    assert len(hashes) == 2 and hashes[0] == hashes[1] and re.fullmatch("[0-9a-f]{16}", hashes[0])
    expect(page.locator("#footer [role=alert]")).to_have_count(0)


def test_row_number_loads_its_article_and_a_wrong_one_is_refused(page, rows):
    box = page.locator("#test-row input")
    box.fill("494")
    page.click("#test-row-load")
    expect(page.locator("#news textarea")).to_have_value(rows[494]["user_prompt"])
    box.fill("495")
    page.click("#test-row-load")
    expect(page.locator(".toast-body, .toast-wrap").first).to_contain_text("494", timeout=SECONDS)
    expect(page.locator("#news textarea")).to_have_value(rows[494]["user_prompt"])


def test_filter_row_and_xray(opened):
    page = opened
    everything = page.locator("#rows").inner_text()
    page.locator("#filter").get_by_text(say("filter_unreadable", "ko")).click()
    expect(page.locator("#rows")).not_to_have_text(everything)
    page.locator("#filter").get_by_text("모두", exact=True).click()
    expect(page.locator("#rows")).to_have_text(
        everything, use_inner_text=True, timeout=SECONDS
    )  # else a row of the old list is opened
    page.get_by_test_id("cell-3-1").click()
    expect(page.locator("#opened h3").first).to_contain_text("3번 행", timeout=SECONDS)
    assert page.locator("#opened .side").count() == 3
    expect(page.locator("#xray .tinted")).to_have_count(3, timeout=SECONDS)
    page.locator("#open-row input").fill("12")
    page.locator("#open-row input").press("Enter")
    expect(page.locator("#opened h3").first).to_contain_text("12번 행", timeout=SECONDS)


def test_xray_is_that_of_the_row_opened_last(opened, rows):
    page = opened
    box = page.locator("#open-row input")
    for number in (3, 12, 30):
        box.fill(str(number))
        box.press("Enter")
    expect(page.locator("#opened h3").first).to_contain_text("30번 행", timeout=SECONDS)
    expect(page.locator("#xray .tinted").first).to_contain_text(
        rows[30]["assistant"]["summary"].replace(" ", "·"), timeout=SECONDS
    )


def test_narrow_screen_gets_the_picture_with_names_above_the_bars(opened):
    page, whole = opened, opened.viewport_size
    expect(page.locator("#scores .chart .wide")).to_be_visible()
    expect(page.locator("#scores .chart .narrow")).not_to_be_visible()
    page.set_viewport_size({"width": 375, "height": 800})
    expect(page.locator("#scores .chart .narrow")).to_be_visible()
    expect(page.locator("#scores .chart .wide")).not_to_be_visible()
    assert page.locator("#scores .narrow text").first.bounding_box()["height"] > 10
    page.set_viewport_size(whole)


def test_exports_are_downloaded(opened, tmp_path):
    page = opened
    for kind in ("csv", "json", "html"):
        path = tmp_path / f"file.{kind}"
        press_until_download(page, f"#export-{kind}").save_as(path)
        assert path.stat().st_size > 100_000
    assert json.loads((tmp_path / "file.json").read_text(encoding="utf-8"))["tuned"]["rows"] == 495


def test_language_switch_translates_the_opened_tab(opened):
    page = opened
    page.locator("#open-row input").fill("10")
    page.locator("#open-row input").press("Enter")
    expect(page.locator("#opened h3").first).to_contain_text("10번 행", timeout=SECONDS)
    page.locator("#language").get_by_text("English").click()
    expect(page.locator("#opened h3").first).to_contain_text("Row 10", timeout=SECONDS)
    expect(page.locator("#scores .chart")).to_contain_text("Answers in the right form")
    expect(page.locator("#rows")).to_contain_text("How it was read")


def test_number_of_no_row_is_refused_in_our_words(opened):
    page = opened
    page.locator("#open-row input").fill("9999")
    page.locator("#open-row input").press("Enter")
    expect(page.locator("#opened [role=alert]")).to_contain_text("494", timeout=SECONDS)
