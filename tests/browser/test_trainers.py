"""What would my trainer do: chosen by the mouse, by the keyboard, and on a phone."""

import pytest
from playwright.sync_api import expect

from newsft.lessons.trainers import load_trainers
from newsft.page.texts import say
from tests.browser.conftest import open_page
from tests.browser.test_keyboard import go, go_to_tab
from tests.browser.test_lesson import SECONDS, open_tab, passport

TRAINERS = load_trainers()


def test_chosen_trainer_shows_its_row_beside_ours(page):
    open_tab(page, "lab")
    expect(page.locator("#trainer")).to_contain_text("TRL 1.16.0", timeout=SECONDS)
    page.locator("#trainer-name").get_by_text("torchtune").click()
    expect(page.locator("#trainer-rows .theirs i")).to_have_count(55, timeout=SECONDS)
    expect(page.locator("#trainer-rows .theirs i.t")).to_have_count(19)
    page.locator("#trainer-rows .theirs i").last.click()
    assert passport(page, "#trainer-rows")[say("token_id", "ko")].startswith("128001 ")
    expect(page.locator("#pair .tokens").first).to_be_visible()


def test_trainer_is_chosen_by_the_keyboard_alone(page):
    go_to_tab(page, "lab")
    expect(page.locator("#trainer")).to_contain_text("TRL 1.16.0", timeout=SECONDS)
    go(page, "#trainer-name input")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#trainer")).to_contain_text("LLaMA-Factory 0.9.5", timeout=SECONDS)
    go(page, "#trainer-variant input")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#trainer-rows .theirs i")).to_have_count(101, timeout=SECONDS)
    go(page, "#trainer-rows .theirs i")
    page.keyboard.press("End")
    assert page.locator("#trainer-rows .passport .big").inner_text() == ">"


def test_trainer_speaks_the_readers_language(page):
    open_tab(page, "lab")
    page.locator("#trainer-name").get_by_text("mlx-lm").click()
    expect(page.locator("#trainer")).to_contain_text("mlx-lm 0.32.2", timeout=SECONDS)
    page.locator("#language").get_by_text("English").click()
    expect(page.locator("#trainer")).to_contain_text(TRAINERS["mlx"].texts["en"]["what"], timeout=SECONDS)
    expect(page.locator("#trainer-variant")).to_contain_text(TRAINERS["mlx"].texts["en"]["variant"])


def test_long_row_is_left_out_before_the_readers_eyes(page):
    open_tab(page, "lab")
    page.locator("#trainer-name").get_by_text("Axolotl").click()
    page.locator("#lab-source").get_by_text(say("source_own", "ko")).click()
    page.locator("#lab-user textarea").fill("오늘 날씨는 맑고 화창합니다. " * 100)
    page.locator("#lab-user textarea").blur()
    expect(page.locator("#trainer")).to_contain_text(say("trainer_left_out", "ko"), timeout=SECONDS)


@pytest.mark.parametrize("theme, language", [("light", "en"), ("dark", "ko")])
def test_trainers_fit_a_phone(browser, address, theme, language):
    context = browser.new_context(viewport={"width": 375, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_page(page, f"{address}?__theme={theme}&lang={language}")
    open_tab(page, "lab", language)
    for name in dict.fromkeys(trainer.name for trainer in TRAINERS.values()):
        page.locator("#trainer-name").get_by_text(name, exact=True).tap()
        expect(page.locator("#trainer h4")).to_contain_text(name, timeout=SECONDS)
        expect(page.locator("#trainer")).to_contain_text(say("trainer_head_mend", language))
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, name
    context.close()
