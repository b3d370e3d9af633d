"""Train here, as a reader does it: preview, start, watch, compare with one's own adapter, reload."""

import re

import pytest
from playwright.sync_api import Page, expect

from newsft.page.texts import say
from tests import tiny
from tests.browser.conftest import open_page

SLOW = 180_000  # milliseconds: a process has to import torch and the model


def open_part(page: Page) -> None:
    page.get_by_role("tab", name="학습").click()
    page.wait_for_selector("#train-start", timeout=60_000)


def choose(page: Page, *, rows: int, steps: int) -> None:
    for name, number in (("rows", rows), ("steps", steps)):
        page.locator(f"#train-{name} input").fill(str(number))
        page.locator(f"#train-{name} input").press("Tab")


def status(page: Page):
    return page.locator("#train-status")


def test_reader_trains_and_finds_the_adapter_again_after_a_reload(page, address):
    open_part(page)
    choose(page, rows=4, steps=2)
    page.click("#train-preview-ask")
    expect(page.locator("#train-preview")).to_contain_text(say("train_passed", "ko"), timeout=60_000)
    page.click("#train-start")
    expect(page.locator("#train-stop")).to_be_enabled(timeout=60_000)
    expect(page.locator("#train-start")).to_be_disabled()
    page.reload()  # the run goes on
    page.wait_for_selector("#compare")
    open_part(page)
    expect(status(page)).to_contain_text(say("train_done", "ko"), timeout=SLOW)
    expect(page.locator("#train-plot")).to_be_visible()
    expect(page.locator("#train-about")).to_contain_text("--train-rows 4")
    expect(page.locator("#train-start")).to_be_enabled()
    with page.expect_download() as download:
        page.click("#train-download")
    assert download.value.suggested_filename == "my-adapter.zip"
    page.get_by_text(say("train_batch", "ko"), exact=True).click()
    expect(page.locator("#train-batch .tokens i.t").first).to_be_visible()


def test_run_of_another_browser_is_nobodys_business(page, browser, address):
    open_part(page)
    choose(page, rows=4, steps=150)
    page.click("#train-start")
    expect(page.locator("#train-stop")).to_be_enabled(timeout=60_000)
    other = browser.new_context().new_page()
    open_page(other, address)
    open_part(other)
    expect(status(other)).to_contain_text(say("train_none", "ko"), timeout=30_000)
    expect(other.locator("#train-stop")).to_be_disabled()
    other.context.close()
    page.click("#train-stop")
    stopped = re.compile("멈췄습니다")
    expect(status(page)).to_contain_text(stopped, timeout=SLOW)
    expect(page.locator("#train-resume")).to_be_enabled()


@pytest.mark.parametrize("good", [False, True])
def test_bad_file_is_refused_in_a_sentence_and_a_good_one_previewed(page, tmp_path, good):
    open_part(page)
    rows = tiny.make_rows(10) if good else [{"question": "<img src=x onerror=alert(1)>"}]
    page.get_by_label(say("train_source_upload", "ko"), exact=True).check()
    page.set_input_files("#train-upload input[type=file]", tiny.write_rows(tmp_path / "mine.jsonl", rows))
    expect(page.locator("#train-upload")).to_contain_text("mine", timeout=30_000)
    expect(page.locator("#train-rows input")).to_have_value(
        "5" if good else "40", timeout=30_000
    )  # rows that it has to train on
    choose(page, rows=4, steps=2)
    page.click("#train-preview-ask")
    korean, english = (
        [say("train_halves", language, tests=5, trained=4) for language in ("ko", "en")]
        if good
        else (
            "mine.jsonl에 system_prompt, user_prompt, assistant 열이 없습니다.",
            "mine.jsonl has no column system_prompt",
        )
    )
    shown = page.locator("#train-preview")
    expect(shown).to_contain_text(korean, timeout=60_000)
    page.locator("#language").get_by_text("English").click()
    expect(shown).to_contain_text(english, timeout=30_000)
