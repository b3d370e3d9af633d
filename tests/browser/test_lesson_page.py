import json
import re

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

from newsft.encoding.llama3 import llama3_chat
from newsft.lessons.conversations import TOY
from newsft.page.texts import lesson, say
from tests.browser.conftest import open_page
from tests.browser.test_lesson import SECONDS, SHOWN, choose_row, held, open_tab, wait_for_tokens
from tests.templates import HEADER

EVIL = "<img src=x onerror=alert(1)> ${alert(1)} </script><script>alert(1)</script> ' onfocus='alert(1) \" onfocus=\"alert(1)"
ENGLISH = {
    "template": ("#template .legend", say("legend_control", "en")),
    "tokens": ("#row .checks", lesson("checks", "en")["end_of_turn"]),
    "lab": ("#verdict", say("lab_broken", "en")),
}


@pytest.fixture
def phone(browser, address):
    context = browser.new_context(viewport={"width": 375, "height": 800}, has_touch=True, is_mobile=True)
    page = context.new_page()
    open_page(page, address)
    yield page
    context.close()


def open_tab_on_phone(page, name):
    """Every tab is in sight on a phone too."""
    page.get_by_role("tab", name=say(f"tab_{name}", "ko")).tap()
    expect(page.locator(SHOWN[name]).first).to_be_visible(timeout=SECONDS)


@pytest.mark.parametrize("name", SHOWN)
def test_language_switch_on_a_tab_says_it_all_again(page, name):
    open_tab(page, name)
    choose_row(page, name, 3)
    page.locator("#language").get_by_text("English").click()
    place, words = ENGLISH[name]
    expect(page.locator(place)).to_contain_text(words, timeout=SECONDS)
    expect(page.locator(f"#{name}-source")).to_contain_text(say("source_row", "en"))
    expect(page.locator(f"#{name}-number input")).to_have_value("3")
    expect(page.get_by_role("tab", name=say(f"tab_{name}", "en"))).to_have_attribute("aria-selected", "true")


def test_language_switch_computes_nothing_that_nobody_has_opened(page):
    page.locator("#language").get_by_text("English").click()
    expect(page.get_by_role("tab", name=say("tab_lab", "en"))).to_be_visible(timeout=SECONDS)
    page.wait_for_timeout(1000)
    assert page.locator("#row .tokens, #pair .tokens, #template .rendered").count() == 0
    page.get_by_role("tab", name=say("tab_tokens", "en")).click()
    expect(page.locator("#row .checks")).to_contain_text(lesson("checks", "en")["end_of_turn"], timeout=SECONDS)


@pytest.mark.parametrize("name", SHOWN)
def test_phone_width_has_no_sideways_scrolling(phone, name):
    open_tab_on_phone(phone, name)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375
    choose_row(phone, name, 3)
    phone.wait_for_timeout(1000)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375


def test_passport_is_in_sight_on_a_phone(phone):
    open_tab_on_phone(phone, "tokens")
    phone.locator("#row .tokens i").nth(20).tap()
    expect(phone.locator("#row .passport .big")).to_be_in_viewport()
    phone.get_by_role("button", name=say("token_close", "ko")).tap()
    expect(phone.locator("#row .passport.open")).to_have_count(0)


def test_chosen_chip_stays_above_the_passport_on_a_phone(phone):
    open_tab_on_phone(phone, "tokens")
    lowest = phone.evaluate(
        "() => [...document.querySelectorAll('#row .tokens i')].findLastIndex((chip) => chip.checkVisibility() && chip.getBoundingClientRect().bottom < innerHeight)"
    )
    chip = phone.locator("#row .tokens i").nth(lowest)
    under = chip.bounding_box()["y"]
    chip.tap()
    for _ in range(6):
        sheet, chosen = phone.locator("#row .passport.open").bounding_box(), phone.locator("#row i.sel").bounding_box()
        assert chosen["y"] >= 0 and chosen["y"] + chosen["height"] <= sheet["y"] < under
        phone.keyboard.press("ArrowDown")


@pytest.mark.parametrize("field", ["system", "user", "assistant"])
def test_markup_in_ones_own_text_runs_in_no_tab(page, field):
    open_tab(page, "tokens")
    page.locator("#tokens-source").get_by_text(say("source_own", "ko")).click()
    page.locator(f"#tokens-{field} textarea").fill(EVIL)
    page.locator(f"#tokens-{field} textarea").blur()
    expect(page.locator("#row .tokens")).to_contain_text("onerror", timeout=SECONDS)
    assert EVIL in "".join(held(page, "#row")["text"])
    page.locator("#row .tokens i").nth(8).click()
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    page.click("#row [data-tool=table]")
    open_tab(page, "template")
    expect(page.locator("#template .rendered")).to_contain_text(EVIL, timeout=SECONDS)
    open_tab(page, "lab")
    expect(page.locator("#pair .before .tokens")).to_contain_text("onerror", timeout=SECONDS)
    for place in ("#row", "#template", "#pair", "#verdict", "#faults"):
        assert page.locator(f"{place} img, {place} script, {place} [onfocus], {place} [onerror]").count() == 0


def test_next_token_is_named_as_it_is_written(page):
    open_tab(page, "tokens")
    page.locator("#tokens-source").get_by_text(say("source_own", "ko")).click()
    page.locator("#tokens-assistant textarea").fill("$$")
    page.locator("#tokens-assistant textarea").blur()
    expect(page.locator("#row .a i").first).to_have_text("$$", timeout=SECONDS)
    page.locator("#row .a i").first.click()
    page.keyboard.press("ArrowLeft")
    number = llama3_chat().tokenizer.convert_tokens_to_ids("$$")
    expect(page.locator("#row .shift")).to_have_text(say("token_next_trained", "ko", next="$$", id=number))


def test_number_of_no_row_is_refused_in_the_readers_language(page):
    open_tab(page, "tokens")
    choose_row(page, "tokens", 5000)
    expect(page.locator("#row .problem")).to_contain_text("990", timeout=60_000)


def test_size_control_enlarges_the_page_without_sideways_scrolling(page):
    open_tab(page, "tokens")
    before = page.locator("#heading h1").bounding_box()["height"]
    page.locator("#size").get_by_text(say("size_3", "ko"), exact=True).click()
    page.wait_for_function(
        "(height) => document.querySelector('#heading h1').getBoundingClientRect().height > 1.5 * height", arg=before
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    page.locator("#size").get_by_text(say("size_1", "ko"), exact=True).click()
    page.wait_for_function(
        "(height) => document.querySelector('#heading h1').getBoundingClientRect().height <= height", arg=before
    )


def test_pointing_at_a_card_or_its_text_lights_the_partner(page):
    open_tab(page, "template")
    for number, message in enumerate(TOY):
        page.locator("#template .card").nth(number).hover()
        assert page.locator("#template .rendered .content.lit").all_text_contents() == [message["content"]]
        page.locator("#template .rendered .content").nth(number).hover()
        assert page.locator("#template .card.lit p").all_text_contents() == [message["content"]]
    page.locator("#template .card").first.focus()
    assert page.locator("#template .rendered .content.lit").all_text_contents() == [TOY[0]["content"]]
    page.locator("#heading h1").hover()
    assert page.locator("#template .lit").count() == 0


def test_generation_prompt_and_spelling_change_the_rendered_text(page):
    open_tab(page, "template")
    assert page.locator("#template .spellings td:nth-child(4)").all_inner_texts() == ["54", "54", "57"]
    page.get_by_label(say("generation_prompt", "ko")).check()
    expect(page.locator("#template .card")).to_have_count(2, timeout=SECONDS)
    assert "".join(page.locator("#template .rendered .generation").all_text_contents()) == HEADER.replace("\n", "↵\n")
    page.locator("#spelling").get_by_text(say("spelling_spaces", "ko")).click()
    expect(page.locator("#template .rendered .generation").nth(1)).to_have_text("·assistant·", timeout=SECONDS)


def test_tokens_endpoint_describes_a_row_as_training_encodes_it(address):
    client, row = Client(address, verbose=False), llama3_chat().encode_row(TOY)
    found = client.predict(messages=TOY, api_name="/tokens")
    assert [found[name] for name in ("input_ids", "labels", "attention_mask", "origins")] == [
        row.input_ids,
        row.labels,
        row.attention_mask,
        row.origins,
    ]
    assert "".join(found["texts"]) == row.text
    smaller = client.predict(messages=TOY[:2], tokenizer="model", api_name="/tokens")
    assert set(smaller["labels"]) == {-100} and "".join(smaller["texts"]).endswith(HEADER)
    assert json.dumps(found)


@pytest.mark.parametrize(
    "messages, words",
    [
        ([], "no list of messages"),
        ([{"role": "tool", "content": "x"}], "calls a tool"),
        ([{"role": "narrator", "content": "x"}], "no role of system, user, assistant"),
        ([{"role": "user", "content": "가" * 1_000_000}], "limit"),
    ],
)
def test_tokens_endpoint_says_what_is_wrong_and_goes_on(address, messages, words):
    client = Client(address, verbose=False)
    with pytest.raises(AppError, match=words):
        client.predict(messages=messages, api_name="/tokens")
    assert len(client.predict(messages=TOY, api_name="/tokens")["input_ids"]) == 54


def test_only_the_two_endpoints_are_public(address):
    assert list(Client(address, verbose=False).view_api(return_format="dict")["named_endpoints"]) == [
        "/compare",
        "/tokens",
    ]


def test_tokens_stay_in_order_when_the_tokenizer_is_changed(page):
    open_tab(page, "tokens")
    page.locator("#tokens-tokenizer").get_by_text(say("tokenizer_model", "ko")).click()
    expect(page.locator("#row .token-view")).not_to_have_attribute("data-tokens", re.compile("128009"), timeout=SECONDS)
    ids = list(map(str, held(page, "#row")["id"]))
    wait_for_tokens(page, "#row", len(ids))
    assert page.locator("#row .tokens i").evaluate_all("chips => chips.map(chip => chip.dataset.i)") == ids
    assert len(ids) > 54  # the miniature needs more tokens for the same row
