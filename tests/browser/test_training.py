"""The tab 학습 as a reader uses it: the formula, the settings, the plot, and the steps of an adapter that was kept at some."""

import re

import pytest
from playwright.sync_api import Page, expect

from newsft.page.texts import say
from newsft.recipe import RECIPES
from tests.browser.conftest import open_page
from tests.browser.test_keyboard import go, go_to_tab
from tests.growth import write_grown
from tests.serve import serve

SECONDS = 60_000
PAIR = "#growth-pair .side"


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """The address of a page whose adapter was kept at three earlier steps."""
    folder = write_grown(tmp_path_factory.mktemp("growth") / "adapter")
    with serve("--adapter", str(folder), "--no-sharing") as url:  # Stop wants answers that take their time
        yield url


@pytest.fixture
def open_at(browser):
    """(address, width) -> the page, with the tab open."""
    contexts = []

    def open_it(address: str, width: int = 1280) -> Page:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        open_page(page, address)
        page.locator('[role="tab"][data-tab-id="training"]').click()
        expect(page.locator("#arithmetic .arithmetic")).to_be_visible(timeout=SECONDS)
        return page

    yield open_it
    for context in contexts:
        context.close()


def test_formula_counts_again_when_a_number_is_changed(open_at, address):
    page = open_at(address)
    formula = page.locator("#arithmetic")
    expect(formula).to_contain_text("124 × 3 = 372")
    page.locator("#quantity-accumulation input").fill("4")
    expect(formula).to_contain_text("62 × 3 = 186", timeout=SECONDS)
    page.locator("#quantity-rows input").fill("5000")
    expect(formula.locator("[role=alert]")).to_contain_text("496", timeout=SECONDS)
    page.locator("#language").get_by_text("English").click()
    expect(formula.locator("[role=alert]")).to_contain_text("Rows", timeout=SECONDS)


def test_settings_and_matrices_are_shown(open_at, address):
    page = open_at(address)
    page.locator("#settings button").first.click()
    expect(page.locator("#settings")).to_contain_text("--lora-alpha")
    expect(page.locator("#lora svg")).to_have_count(sum(len(RECIPES[name].lora_targets) for name in ("mini", "varco")))
    expect(page.locator("#lora")).to_contain_text("3,407,872")
    expect(page.locator("#lora .norms tbody tr")).to_have_count(6)


def test_history_is_plotted_and_each_value_told(open_at, address):
    page = open_at(address)
    plot = page.locator("#history-plot")
    expect(plot.locator("svg.marks")).to_contain_text(say("line_validation", "ko"), timeout=SECONDS)
    plot.scroll_into_view_if_needed()
    box = plot.locator("svg.marks").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("#vg-tooltip-element")).to_contain_text(say("plot_step", "ko"), timeout=SECONDS)
    page.locator("#quantity").get_by_text(say("quantity_learning_rate", "ko")).click()
    expect(plot.locator("svg.marks")).to_contain_text(say("quantity_learning_rate", "ko"), timeout=SECONDS)
    page.locator("#history-table button").first.click()
    expect(page.locator("#history-table tbody tr").first).to_be_visible()


def test_every_step_answers_and_one_is_looked_at(open_at, grown):
    page = open_at(grown)
    page.click("button#grow")
    strip = page.locator("#growth")
    expect(strip.locator('[aria-busy="false"]')).to_be_visible(timeout=SECONDS)
    expect(strip.locator("tbody tr")).to_have_count(5)  # the base, three steps, the adapter
    expect(page.locator(PAIR)).to_have_count(2, timeout=SECONDS)
    tuned = page.locator("#growth-pair .tuned .raw")
    expect(tuned).to_contain_text("'is_stock_related'")
    page.locator("#growth-step").get_by_text(say("growth_step", "ko", step=0), exact=True).click()
    expect(page.locator("#growth-pair .tuned header")).to_contain_text("0번", timeout=SECONDS)
    expect(tuned).to_have_text(page.locator("#growth-pair .base .raw").inner_text(), use_inner_text=True)
    page.locator("#language").get_by_text("English").click()
    expect(strip).to_contain_text(say("growth_column", "en"), timeout=SECONDS)
    expect(page.locator("#growth-pair .tuned header")).to_contain_text("after 0 updates", timeout=SECONDS)


def test_growth_is_asked_and_stopped_by_the_keyboard(browser, grown):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    open_page(page, grown)
    go_to_tab(page, "training")
    expect(page.locator("#arithmetic .arithmetic")).to_be_visible(timeout=SECONDS)
    go(page, "button#grow")
    page.keyboard.press("Enter")
    expect(page.locator("button#grow-stop")).to_be_focused(timeout=SECONDS)
    page.keyboard.press("Enter")
    expect(page.locator("#growth")).to_contain_text(
        re.compile(f"{say('stopped', 'ko')}|{say('end_of_turn', 'ko')}"), timeout=SECONDS
    )
    go(page, "#growth-step input")
    page.keyboard.press("ArrowRight")  # Tab comes to the first step
    expect(page.locator("#growth-pair .tuned header")).to_contain_text("100번", timeout=SECONDS)
    context.close()


@pytest.mark.parametrize("query", ["", "/?lang=en&__theme=dark"])
def test_phone_needs_no_sideways_scrolling(open_at, grown, query):
    page = open_at(grown + query, 375)
    page.click("button#grow")
    expect(page.locator('#growth [aria-busy="false"]')).to_be_visible(timeout=SECONDS)
    page.locator("#settings button").first.click()
    expect(page.locator(PAIR)).to_have_count(2, timeout=SECONDS)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
