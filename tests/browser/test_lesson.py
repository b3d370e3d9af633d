import csv
import io
import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from newsft.data.messages import row_messages
from newsft.encoding import tokens
from newsft.encoding.llama3 import llama3_chat
from newsft.lessons.conversations import TOY
from newsft.page.texts import lesson, say

SECONDS = 60_000
SHOWN = {"template": "#template .rendered", "tokens": "#row .tokens", "lab": "#pair .tokens"}
ROW = 3


def open_tab(page: Page, name: str, language: str = "ko") -> None:
    page.get_by_role("tab", name=say(f"tab_{name}", language)).click()
    expect(page.locator(SHOWN[name]).first).to_be_visible(timeout=SECONDS)


def choose_row(page: Page, name: str, number: int) -> None:
    page.locator(f"#{name}-source").get_by_text(say("source_row", "ko")).click()
    page.locator(f"#{name}-number input").fill(str(number))


def encoded(rows, number: int = ROW):
    return llama3_chat().encode_row(row_messages(rows[number]))


def wait_for_tokens(page: Page, place: str, count: int) -> None:
    expect(page.locator(f"{place} .tokens i")).to_have_count(count, timeout=SECONDS)


def held(page: Page, place: str) -> dict[str, list]:
    return json.loads(page.locator(f"{place} .token-view").first.get_attribute("data-tokens"))


def passport(page: Page, place: str = "#row") -> dict:
    panel = page.locator(f"{place} .passport")
    return dict(zip(panel.locator("dt").all_inner_texts(), panel.locator("dd").all_inner_texts(), strict=True)) | {
        "shift": panel.locator(".shift").inner_text()
    }


def focused(page: Page) -> int:
    """The position of the chip that has the focus, -1 where none has."""
    return page.evaluate("[...document.querySelectorAll('#row .tokens i')].indexOf(document.activeElement)")


@pytest.mark.parametrize("name, place", [("tokens", "#row"), ("lab", "#pair .before")])
def test_row_chosen_by_number_is_shown_as_training_encodes_it(page, rows, name, place):
    open_tab(page, name)
    choose_row(page, name, ROW)
    wait_for_tokens(page, place, len(encoded(rows)))
    shown = held(page, place)
    assert [shown[name] for name in ("id", "label", "mask", "origin")] == [
        encoded(rows).input_ids,
        encoded(rows).labels,
        encoded(rows).attention_mask,
        encoded(rows).origins,
    ]


def test_passport_and_table_are_of_the_row_that_is_shown(page, rows):
    open_tab(page, "tokens")
    shorter, longer = sorted((3, 12), key=lambda number: len(encoded(rows, number)))
    for number in (shorter, longer, shorter):
        row = encoded(rows, number)
        choose_row(page, "tokens", number)
        wait_for_tokens(page, "#row", len(row))
        page.locator("#row .tokens i").last.click()
        facts = passport(page)
        assert facts[say("token_position", "ko")] == f"{len(row) - 1} / {len(row) - 1}"
        assert facts[say("token_id", "ko")].startswith(str(row.input_ids[-1]))


def test_table_keeps_the_keyboard_where_it_is_when_the_page_turns(page, rows):
    open_tab(page, "tokens")
    choose_row(page, "tokens", ROW)
    wait_for_tokens(page, "#row", len(encoded(rows)))
    page.locator("#row [data-tool=table]").click()
    following = page.locator("#row .pager button").last
    following.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#row .pager span")).to_contain_text("2")
    expect(page.locator("#row .pager button:focus")).to_have_count(1)


def test_masked_token_says_so_on_its_chip(page):
    open_tab(page, "lab")
    page.locator("#switches").get_by_text(lesson("pad_by_value", "ko")["switch"]).click()
    hidden = page.locator("#pair .after .tokens i.o").first
    expect(hidden).to_be_attached(timeout=SECONDS)
    assert hidden.evaluate("chip => getComputedStyle(chip, '::after').content").rstrip('"').endswith("· 0")
    hidden.click()
    assert passport(page, "#pair")[say("token_mask", "ko")].startswith("0")


def test_row_chosen_by_number_is_shown_in_the_template(page, rows):
    open_tab(page, "template")
    choose_row(page, "template", ROW)
    expect(page.locator("#template .card.user p")).to_have_text(rows[ROW]["user_prompt"], timeout=SECONDS)
    assert page.locator("#template .rendered .content").all_text_contents() == [
        message["content"] for message in row_messages(rows[ROW])
    ]


def test_number_typed_digit_by_digit_shows_its_row(page, rows):
    open_tab(page, "tokens")
    choose_row(page, "tokens", 0)
    wait_for_tokens(page, "#row", len(encoded(rows, 0)))
    page.locator("#tokens-number input").press_sequentially("12")
    wait_for_tokens(page, "#row", len(encoded(rows, 12)))


def test_slow_answer_to_an_earlier_choice_does_not_stay(page, rows):
    open_tab(page, "tokens")
    slow = []

    def hold_first(route):
        if not slow and '"ko","llama3","row"' in (route.request.post_data or ""):
            slow.append(route)
        else:
            route.continue_()

    page.route(re.compile("/gradio_api/run/"), hold_first)
    choose_row(page, "tokens", ROW)
    page.wait_for_timeout(1000)  # long enough for an answer to the later choice
    slow[0].continue_()
    page.wait_for_timeout(1000)
    wait_for_tokens(page, "#row", len(encoded(rows)))
    assert held(page, "#row")["id"] == encoded(rows).input_ids


def test_walking_with_arrow_keys_reads_the_passport(page):
    row = llama3_chat().encode_row(TOY)
    first, last = row.origins.index("answer"), len(row) - 1
    open_tab(page, "tokens")
    page.locator("#row .tokens i").first.focus()
    for _ in range(first - 1):
        page.keyboard.press("ArrowRight")
    assert focused(page) == first - 1
    read = passport(page)
    assert read[say("token_position", "ko")] == f"{first - 1} / {last}"
    assert (
        read[say("token_id", "ko")] == "271"
        and read[say("token_label", "ko")] == f"-100 ({say('token_ignored', 'ko')})"
    )
    answer = tokens.read_tokens(llama3_chat(), row)[first]
    assert read["shift"] == say("token_next_trained", "ko", next=answer.text, id=answer.id)
    page.keyboard.press("ArrowRight")
    assert passport(page)[say("token_label", "ko")] == str(row.input_ids[first])
    page.keyboard.press("End")
    assert passport(page)["shift"] == say("token_next_none", "ko")
    assert passport(page)[say("token_id", "ko")] == f"128009 ({say('token_control_token', 'ko')})"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert focused(page) == 0 and passport(page)["shift"] == say("token_next_ignored", "ko", next="<|start_header_id|>")


def test_up_and_down_move_between_lines_and_the_list_is_one_tab_stop(page):
    open_tab(page, "tokens")
    page.locator("#row .tokens i").nth(8).click()
    seen = [focused(page)]
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
        seen.append(focused(page))
    tops = page.evaluate(
        "(seen) => seen.map((at) => document.querySelectorAll('#row .tokens i')[at].getBoundingClientRect().top)", seen
    )
    assert tops[0] < tops[1] < tops[2] and tops[2] > tops[3] > tops[4]
    assert tops[0] == tops[4] and tops[1] == tops[3]
    assert page.locator("#row .tokens i[tabindex]").count() == 1
    page.keyboard.press("Tab")
    assert focused(page) == -1


def test_table_opens_turns_its_pages_and_closes(page, rows):
    open_tab(page, "tokens")
    choose_row(page, "tokens", ROW)
    wait_for_tokens(page, "#row", len(encoded(rows)))
    button, lines = page.locator("#row [data-tool=table]"), page.locator("#row .table tbody tr")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    ids, pages = [], -(-len(encoded(rows)) // 200)
    for number in range(1, pages + 1):
        expect(page.locator("#row .pager span")).to_have_text(say("token_page_of", "ko", page=number, pages=pages))
        ids += page.locator("#row .table tbody td:nth-child(2)").all_inner_texts()
        if number < pages:
            page.get_by_role("button", name=say("token_next_page", "ko"), exact=True).click()
    assert list(map(int, ids)) == encoded(rows).input_ids
    expect(page.get_by_role("button", name=say("token_next_page", "ko"), exact=True)).to_be_disabled()
    button.click()
    expect(lines).to_have_count(0)


def test_downloads_hold_exactly_the_rows_tokens(page, rows):
    open_tab(page, "tokens")
    choose_row(page, "tokens", ROW)
    wait_for_tokens(page, "#row", len(encoded(rows)))
    texts = {}
    for kind in ("csv", "json"):
        with page.expect_download() as download:
            page.click(f"#row [data-tool={kind}]")
        assert download.value.suggested_filename == f"tokens.{kind}"
        texts[kind] = Path(download.value.path()).read_bytes().decode("utf-8-sig")
    for records in (list(csv.DictReader(io.StringIO(texts["csv"], newline=""))), json.loads(texts["json"])):
        assert [int(record["id"]) for record in records] == encoded(rows).input_ids
        assert [int(record["label"]) for record in records] == encoded(rows).labels
        assert [int(record["attention_mask"]) for record in records] == encoded(rows).attention_mask
        assert "".join(record["text"] for record in records) == encoded(rows).text


def test_broken_row_gets_its_verdict_and_is_repaired(page):
    open_tab(page, "lab")
    expect(page.locator("#verdict .fails")).to_contain_text(say("lab_broken", "ko"))
    assert page.locator("#pair .after i.t").count() == 0 and page.locator("#pair .before i.x").count() > 0
    page.click("button#lab-reset")
    expect(page.locator("#verdict .holds")).to_contain_text(say("lab_fine", "ko"), timeout=SECONDS)
    expect(page.locator("#pair i.x")).to_have_count(0)
    page.get_by_label(lesson("two_bos", "ko")["switch"]).check()
    expect(page.locator("#verdict .fails")).to_contain_text("BOS", timeout=SECONDS)
    expect(page.locator("#faults article")).to_have_count(1)
    expect(page.locator("#pair .after .tokens i")).to_have_count(55)
    page.locator("#pair .after .tokens i").nth(1).click()
    assert passport(page, "#pair")[say("token_id", "ko")].startswith("128000 ")


def test_switches_set_in_quick_succession_all_act(page):
    open_tab(page, "lab")
    page.click("button#lab-reset")
    expect(page.locator("#verdict .holds")).to_be_visible(timeout=SECONDS)
    for number in (1, 2, 3):
        page.locator("#switches input").nth(number).click(no_wait_after=True)
    expect(page.locator("#faults article")).to_have_count(3)


def test_switches_show_no_names_of_the_program(page):
    open_tab(page, "lab")
    box = page.locator("#switches input").nth(1)
    assert box.get_attribute("title"), "Gradio no longer sets it: the line in page.js can go"
    box.hover()
    expect(box).not_to_have_attribute("title", re.compile(".*"))


def test_two_training_steps_prove_that_nothing_is_learned(page):
    open_tab(page, "lab")
    page.click("button#proof-run")
    expect(page.locator("#proof tbody tr")).to_have_count(2, timeout=2 * SECONDS)
    verdicts = page.locator("#proof td:last-child")
    assert verdicts.all_inner_texts() == [say("proof_moved", "ko"), say("proof_still", "ko")]
    page.locator("#language").get_by_text("English").click()
    expect(verdicts).to_have_text([say("proof_moved", "en"), say("proof_still", "en")], timeout=SECONDS)
    page.click("button#lab-reset")
    expect(verdicts).to_have_count(0, timeout=SECONDS)  # it was of other rows


def test_same_row_is_followed_from_tab_to_tab(page, rows):
    open_tab(page, "tokens")
    choose_row(page, "tokens", ROW)
    wait_for_tokens(page, "#row", len(encoded(rows)))
    open_tab(page, "template")
    expect(page.locator("#template .card.user p")).to_have_text(rows[ROW]["user_prompt"], timeout=SECONDS)
    open_tab(page, "lab")
    wait_for_tokens(page, "#pair .before", len(encoded(rows)))
    expect(page.locator("#lab-number input")).to_have_value(str(ROW))
