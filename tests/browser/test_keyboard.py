"""Each flow by the keyboard alone: no click, no focus set by a script; Tab, arrows, Space, Enter and typing."""

import re

import pytest
from playwright.sync_api import Page, expect

from newsft.page.texts import say
from tests.browser.test_compare import DONE, SECONDS

MOST_TABS = 60
REACHED = "([selector]) => { const at = document.activeElement; return !!at && at !== document.body && at.matches(selector); }"
VISIBLE = "() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' || s.boxShadow !== 'none'; }"


def go(page: Page, selector: str, *, back: bool = False) -> None:
    """Press Tab until the focus is on what `selector` describes, and it can be seen that it is."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        if page.evaluate(REACHED, [selector]):
            page.wait_for_function(VISIBLE, timeout=2_000)  # borders and shadows fade in
            return
    pytest.fail(f"Tab does not reach {selector}")


def go_to_tab(page: Page, name: str) -> None:
    go(page, f'[role="tab"][data-tab-id="{name}"]')
    page.keyboard.press("Enter")
    expect(page.locator(f'[role="tab"][data-tab-id="{name}"]')).to_have_attribute("aria-selected", "true")


def test_comparison_is_chosen_started_and_stopped(page):
    go(page, "#examples button")
    page.keyboard.press("Enter")
    expect(page.locator("#news textarea")).not_to_have_value("", timeout=SECONDS)
    go(page, "button#compare")
    page.keyboard.press("Enter")
    expect(page.locator("button#stop")).to_be_focused(
        timeout=SECONDS
    )  # the button that was pressed is off: its partner has the focus
    page.keyboard.press("Enter")
    expect(page.locator("#tuned .stats")).to_contain_text(re.compile(f"사용자가 멈춤|{DONE.pattern}"), timeout=SECONDS)
    expect(page.locator("button#compare")).to_be_focused(timeout=SECONDS)
    page.keyboard.press("Space")
    for side in ("base", "tuned"):
        expect(page.locator(f"#{side} .stats")).to_contain_text(DONE, timeout=SECONDS)
    go(page, "#footer .receipt summary")
    page.keyboard.press("Enter")
    expect(page.locator("#footer .receipt table")).to_be_visible()


def test_language_and_size_are_switched_by_arrows(page):
    go(page, "#language input")
    page.keyboard.press("ArrowRight")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("tab", name=say("tab_lab", "en"))).to_be_visible(timeout=SECONDS)
    go(page, "#size input")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".gradio-container")).to_have_css("zoom", "1.3")


def test_template_is_read_message_by_message(page):
    go_to_tab(page, "template")
    expect(page.locator("#template .rendered")).to_be_visible(timeout=SECONDS)
    go(page, "#template-source input")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#template-number input")).to_be_visible(timeout=SECONDS)
    go(page, "#generation-prompt input")
    page.keyboard.press("Space")
    expect(page.locator("#template .rendered .generation").first).to_be_visible(timeout=SECONDS)
    go(page, "#template [data-link]")
    assert page.locator("#template .lit").count() >= 2  # the card and its part of the text


def test_tokens_are_walked_and_laid_out_as_a_table(page):
    go_to_tab(page, "tokens")
    expect(page.locator("#row .tokens i").first).to_be_visible(timeout=SECONDS)
    go(page, '#row [data-tool="table"]')
    page.keyboard.press("Enter")
    expect(page.locator("#row .table tbody tr").first).to_be_visible()
    go(page, "#row .tokens i")
    page.keyboard.press("End")
    expect(page.locator("#row .tokens i").last).to_be_focused()
    expect(page.locator("#row .passport .shift")).to_have_text(say("token_next_none", "ko"))


def test_row_is_broken_and_proven(page):
    go_to_tab(page, "lab")
    expect(page.locator("#pair .tokens").first).to_be_visible(timeout=SECONDS)
    before = page.locator("#verdict").inner_text()
    go(page, "#switches input")
    page.keyboard.press("Space")
    expect(page.locator("#verdict")).not_to_have_text(before, use_inner_text=True, timeout=SECONDS)
    go(page, "#proof-run")
    page.keyboard.press("Enter")
    expect(page.locator("#proof table")).to_be_visible(timeout=SECONDS)


def test_evaluation_is_filtered_and_a_row_opened(page):
    go_to_tab(page, "evaluation")
    expect(page.locator("#scores .chart")).to_be_visible(timeout=SECONDS)
    everything = page.locator("#rows").inner_text()
    go(page, "#filter input")
    page.keyboard.press("ArrowRight")
    page.keyboard.press(
        "ArrowRight"
    )  # the rows that the base model wins: the ones before, in which the adapter wins, may begin as all rows do
    expect(page.locator("#rows")).not_to_have_text(everything, use_inner_text=True, timeout=SECONDS)
    go(page, "#open-row input")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    expect(page.locator("#opened h3").first).to_contain_text("12", timeout=SECONDS)


def test_run_of_ones_own_is_chosen_started_and_stopped(page):
    go_to_tab(page, "training")
    expect(page.locator("#arithmetic .arithmetic")).to_be_visible(timeout=SECONDS)
    for name, value in (("rows", 4), ("steps", 150)):
        go(page, f"#train-{name} input")
        page.keyboard.press("Control+A")
        page.keyboard.type(str(value))
    go(page, "button#train-start")
    page.keyboard.press("Enter")
    expect(page.locator("#train-stop")).to_be_enabled(timeout=SECONDS)
    go(page, "button#train-stop")
    page.keyboard.press("Space")
    expect(page.locator("#train-status")).to_contain_text("멈췄습니다", timeout=SECONDS)
