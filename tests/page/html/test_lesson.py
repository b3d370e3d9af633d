import html
import json
import re

import pytest

from newsft.data.messages import gold_text, row_messages
from newsft.encoding import tokens
from newsft.encoding.chat import ChatFormat
from newsft.encoding.collate import collate
from newsft.encoding.pieces import Piece
from newsft.encoding.template import compare_spellings
from newsft.lessons.conversations import TOY
from newsft.lessons.faults import Faults
from newsft.lessons.source import Shelf
from newsft.page.html import lab, template
from newsft.page.html import tokens as views
from newsft.page.tabs.lab import NO_CUT, show_lab, show_proof
from newsft.page.tabs.template import show_template
from newsft.page.tabs.tokens import show_batch, show_row
from newsft.page.texts import lesson, say
from tests.page.html.test_compare import LANGUAGES, Page
from tests.templates import CHATML, with_template

TOY_CHOICE = ("toy", 0, "", "", "")
SPLIT = "뷁👩‍🚀가"


@pytest.fixture(scope="module")
def shelf(rows, chat):
    return Shelf(rows, chat)


def held(shown):
    """What `data-tokens` of the first row on the page holds."""
    return json.loads(html.unescape(re.search(r"data-tokens='([^']*)'", shown)[1]))


def chips(shown):
    """Attributes and text of every chip."""
    return re.findall(r'<i role="option"([^>]*)>([^<]*)</i>', shown)


def kinds(shown):
    return [(re.search(r'class="([^"]*)"', attributes) or ["", ""])[1].split() for attributes, _ in chips(shown)]


def read(chat, text):
    return tokens.read_tokens(chat, chat.encode_pieces([Piece(text, "user")]))


def numbers(text):
    return [int(number.replace(",", "")) for number in re.findall(r"<strong>([\d,]+)</strong>", text)]


def test_page_shows_the_very_batch_that_the_collator_hands_to_the_trainer(shelf, chat, rows):
    chosen = range(200)
    batch = collate([chat.encode_row(row_messages(rows[number])) for number in chosen], pad_id=chat.pad_id)
    for place, number in enumerate(chosen):
        shown = held(show_row(shelf, "ko", "model", "row", number, "", "", ""))
        ids, labels, mask = shown["id"], shown["label"], shown["mask"]
        padding = batch["input_ids"].shape[1] - len(ids)
        assert batch["input_ids"][place].tolist() == [*ids, *[chat.pad_id] * padding]
        assert batch["labels"][place].tolist() == [*labels, *[-100] * padding]
        assert batch["attention_mask"][place].tolist() == [*mask, *[0] * padding]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["llama3", "model"])
def test_row_is_well_formed_and_its_sums_add_up(shelf, language, name):
    shown = show_row(shelf, language, name, "row", 4, "", "", "")
    page, data_of = Page(shown), held(shown)
    assert page.tags.count("i") == len(chips(shown)) == len(data_of["id"])
    first, second = re.findall(r'<p class="sum">.*?</p>', shown)
    *origins, total = numbers(first)
    trained, ignored, again, attended, padded = numbers(second)
    assert sum(origins) == total == again == trained + ignored == attended + padded == len(data_of["id"])
    assert trained == sum(label != -100 for label in data_of["label"]) == sum("t" in kind for kind in kinds(shown))
    assert "fails" not in [value for name, value in page.attributes if name == "class"] and page.text.count("✓") == 7


def test_decoded_labels_are_the_answer_and_its_end(shelf, rows):
    assert gold_text(rows[4]) + "<|eot_id|>" in Page(show_row(shelf, "ko", "model", "row", 4, "", "", "")).text


def test_badge_says_in_sign_and_word_what_fails():
    page = Page(views.format_checks({"labels": True, "one_bos": False}, language="en"))
    assert [value for name, value in page.attributes if name == "class" and value in ("holds", "fails")] == [
        "holds",
        "fails",
    ]
    assert page.text == f"✓ {lesson('checks', 'en')['labels']}: holds✗ {lesson('checks', 'en')['one_bos']}: fails"


def test_long_row_costs_about_one_element_a_token(chat):
    row = read(chat, "가나다 라마 12, " * 300)[:1500]
    page = Page(views.format_tokens(row, language="ko", name="row"))
    assert page.tags.count("i") == 1500
    assert len(page.tags) < 1500 + 30


def test_first_chip_is_the_lists_only_tab_stop(shelf):
    shown = show_row(shelf, "ko", "llama3", *TOY_CHOICE)
    assert ["tabindex" in attributes for attributes, _ in chips(shown)] == [True, *[False] * 53]


def test_only_marked_positions_are_marked(chat):
    shown = views.format_tokens(read(chat, "가나다라마바사"), language="ko", name="row", marked={0, 3})
    assert [position for position, kind in enumerate(kinds(shown)) if "x" in kind] == [0, 3]


@pytest.mark.parametrize("name", ["llama3", "model"])
def test_tokens_of_one_written_character_are_one_group(shelf, name):
    row = read(shelf.chat(name), SPLIT)
    shown = views.format_tokens(row, language="ko", name="row")
    groups = {}
    for token, kind, (attributes, text) in zip(row, kinds(shown), chips(shown), strict=True):
        groups.setdefault(token.group, []).append(
            (kind, text, (re.search(r'data-p="([^"]*)"', attributes) or ["", ""])[1])
        )
    assert [group[0][1] for group in groups.values()] == ["뷁", "👩‍🚀", "가"]
    for group in groups.values():
        count = len(group)
        assert [text for _, text, _ in group[1:]] == [""] * (count - 1)
        assert [part for _, _, part in group] == (
            [f"{part}/{count}" for part in range(1, count + 1)] if count > 1 else [""]
        )
        assert [kind for kind, _, _ in group] == ([["g1"], *[["g2"]] * (count - 2), ["g3"]] if count > 1 else [[]])
    assert max(len(group) for group in groups.values()) > 2


@pytest.mark.parametrize(
    "text, shown",
    [
        (" ", "·"),
        ("\n\n", "↵↵"),
        ("\t", "⇥"),
        ("\u200b", "U+200B"),
        ("\u0301", "U+0301"),
        ("가 나", "가·나"),
        ("👩‍🚀", "👩‍🚀"),
        ("", ""),
    ],
)
def test_white_space_and_invisible_characters_are_made_visible(text, shown):
    assert views.show_text(text) == shown


@pytest.mark.parametrize("name", ["llama3", "model"])
def test_bands_of_a_batch_add_up_to_rows_of_one_length(shelf, rows, name):
    shown = show_batch(shelf, "ko", name, "row", 0, "", "", "", 7)
    lengths = [len(shelf.chat(name).encode_row(row_messages(rows[number]))) for number in (0, 7)]
    bands = re.findall(r'<div class="band".*?</div>', shown)
    assert [sum(map(int, re.findall(r"flex-grow:(\d+)", band))) for band in bands] == [max(lengths)] * 2
    assert [sum(map(int, re.findall(r'class="p off" style="flex-grow:(\d+)"', band))) for band in bands] == [
        max(lengths) - length for length in lengths
    ]
    text = Page(shown).text
    assert all(f"마스크 1이 {length:,}개, 0이 {max(lengths) - length:,}개" in text for length in lengths)


def test_every_card_has_its_partner_in_the_rendered_text(shelf):
    shown = show_template(shelf, "ko", "llama3", *TOY_CHOICE, False, "official")
    cards, rendered = shown.split('<ul class="legend">')
    assert re.findall(r'data-link="(\d)"', cards) == ["0", "1", "2"]
    for number, message in enumerate(TOY):
        assert f'data-link="{number}">{message["content"]}</span>' in rendered
    assert [int(count) for count in re.findall(r"<td>(\d+)</td>", shown)] == [54, 54, 57]
    assert "generation" not in rendered.split("rendered", 1)[1]


def test_generation_prompt_leaves_the_answer_to_the_model(shelf):
    shown = show_template(shelf, "ko", "llama3", *TOY_CHOICE, True, "official")
    assert TOY[2]["content"] not in Page(shown).text and shown.count("<article") == 2
    assert re.findall(r'class="(?:control|frame) generation">([^<]*)', shown)[:2] == [
        "&lt;|start_header_id|&gt;",
        "assistant",
    ]


def test_spelling_that_changes_no_id_is_not_said_to_have_other_ids(
    tokenizer,
):  # bug: equal counts are always called other ids
    official, one_newline, _ = compare_spellings(ChatFormat(with_template(tokenizer, CHATML)), TOY)
    assert official.header_ids == one_newline.header_ids
    assert say("spelling_other_ids", "ko") not in template.format_spellings([official, one_newline], language="ko")


@pytest.mark.parametrize("language", LANGUAGES)
def test_lab_breaks_a_row_and_repairs_it(shelf, language):
    verdict, explained, pair = show_lab(shelf, language, "llama3", *TOY_CHOICE, ["header_spaces"], NO_CUT)
    before, after = pair.split('class="pane after"')
    assert (
        say("lab_broken", language) in Page(verdict).text
        and lesson("header_spaces", language)["switch"] in Page(explained).text
    )
    assert sum("t" in kind for kind in kinds(before)) > 10 and not any("t" in kind for kind in kinds(after))
    assert all("x" in kind for kind in kinds(before) if "t" in kind)
    verdict, explained, pair = show_lab(shelf, language, "llama3", *TOY_CHOICE, [], NO_CUT)
    assert say("lab_fine", language) in Page(verdict).text and "<article" not in explained
    assert not any("x" in kind for kind in kinds(pair)) and Page(pair).tags.count("i") == 108


@pytest.mark.parametrize("language", LANGUAGES)
def test_lab_says_where_a_fault_changes_nothing(shelf, language):
    verdict, _, pair = show_lab(shelf, language, "llama3", *TOY_CHOICE, ["unprotected"], NO_CUT)
    assert (
        say("lab_unchanged", language) in Page(verdict).text and say("lab_broken", language) not in Page(verdict).text
    )
    assert say("lab_after_same", language, all="54", trained="15") in Page(pair).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_has_its_card_with_code(language):
    page = Page(lab.format_lesson(Faults(**{name: True for name in Faults.__dataclass_fields__}), language=language))
    assert page.tags.count("article") == page.tags.count("pre") == len(Faults.__dataclass_fields__)
    assert "`" not in page.text


def test_proof_is_said_again_in_another_language_and_not_beside_other_rows():
    choice = [*TOY_CHOICE, ["header_spaces", "no_end"], NO_CUT]
    proved = {"of": choice, "results": [("correct", [3.25, 3.0], 1e-3), ("broken", [0.0, 0.0], 0.0)]}
    for language in LANGUAGES:
        assert say("proof_still", language) in show_proof(proved, language, "llama3", *choice)
    assert show_proof(proved, "ko", "llama3", *TOY_CHOICE, ["no_end", "header_spaces"], NO_CUT)  # the same rows
    assert show_proof(proved, "ko", "llama3", *TOY_CHOICE, ["no_end"], NO_CUT) == ""
    assert show_proof(None, "ko", "llama3", *choice) == show_proof("", "ko", "llama3", *choice) == ""


def test_proof_says_in_words_which_adapter_moved():
    page = Page(lab.format_proof([("correct", [3.25, 3.0], 1e-3), ("broken", [0.0, 0.0], 0.0)], language="ko"))
    assert "3.25003.00001.00e-03바뀜" in page.text and "0.00000.00000.00e+00그대로" in page.text
