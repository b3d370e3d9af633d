import json
import re
import string
import tomllib
from dataclasses import replace

import pytest

from newsft.encoding import tokens
from newsft.encoding.checks import CHECKS
from newsft.encoding.row import IGNORED
from newsft.lessons.behaviours import CONSTANT_DAY
from newsft.lessons.faults import Faults
from newsft.lessons.inspect import find_verdicts
from newsft.lessons.source import Shelf
from newsft.lessons.trainers import load_trainers, prepare_row
from newsft.page.html.lab import format_verdicts
from newsft.page.tabs.lab import break_rows
from newsft.page.tabs.tokens import show_row
from newsft.page.texts import lesson
from newsft.paths import ASSETS
from tests.page.html.test_compare import LANGUAGES, Page

SCRIPT = (ASSETS / "lesson.js").read_text(encoding="utf-8")
FAULTS = tuple(Faults.__dataclass_fields__)
TOY = ("toy", 0, "", "", "")
CUT = 45  # within the toy conversation's answer
# What each fault alone is to be told about: of the toy conversation with Llama 3's tokenizer, whose answer holds its pad token `!`.
EXPECTED = {
    "header_spaces": {"labels", "prefix"},
    "one_newline": {"prefix"},
    "trailing_header": {"end_of_turn", "only_answers"},
    "pasted": {"fine"},
    "unprotected": {"fine", "nothing"},
    "two_bos": {"one_bos", "prefix"},
    "no_end": {"end_of_turn"},
    "unmasked": {"only_answers"},
    "cut": {"cut", "end_of_turn"},
    "pad_by_value": {"mask"},
    "pad_left": {
        "left"
    },  # bug: padding in front is also said to make another prompt, though ids and mask beside it are the same
}


@pytest.fixture(scope="module")
def shelf(rows, chat):
    return Shelf(rows, chat)


@pytest.fixture(scope="module")
def words(shelf):
    """The words that travel with a row, per language."""
    return {
        language: json.loads(dict(Page(show_row(shelf, language, "model", *TOY)).attributes)["data-words"])
        for language in LANGUAGES
    }


def findings(shelf, name, choice, faults):
    chat, messages, _, before, after = break_rows(shelf, name, choice, faults)
    return find_verdicts(chat, messages, before, after, faults)


def findings_of_a_gap(shelf):
    """What is said of a row whose answer is trained from its second token on: no fault of the lab makes it, but a template can."""
    chat, messages, _, row, _ = break_rows(shelf, "llama3", TOY, Faults())
    labels = list(row.labels)
    labels[next(place for place, label in enumerate(labels) if label != IGNORED)] = IGNORED
    return find_verdicts(chat, messages, row, replace(row, labels=labels), Faults())


def single(name):
    return Faults(**{name: CUT if name == "cut" else True})


def slots(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_script_finds_every_word_that_it_reads(words):
    read = set(re.findall(r"words\.(\w+)", SCRIPT))
    heads = set(re.findall(r'"(\w+)"', re.search(r'for \(const name of \[("position".*?)\]\)', SCRIPT)[1]))
    assert len(read) > 10 and len(heads) == 7
    for held in words.values():
        assert read | heads <= held.keys()
        assert all(held.values())


def test_script_finds_every_origin_and_reason(words):
    assert set(re.findall(r"words\[`(\w+)_\$", SCRIPT)) == {"origin", "reason"}
    for language, held in words.items():
        assert {f"origin_{origin}" for origin in ("template", "system", "user", "answer", "padding")} <= held.keys()
        assert {f"reason_{reason}" for reason in lesson("reasons", language)} <= held.keys()


def test_placeholders_that_the_script_fills_stand_in_the_words(words):
    for held in words.values():
        assert (
            slots(held["next_trained"]) == {"next", "id"}
            and slots(held["next_ignored"]) == {"next"}
            and slots(held["page_of"]) == {"page", "pages"}
        )


def test_lessons_have_the_same_tables_keys_and_placeholders_in_both_languages():
    held = tomllib.loads((ASSETS / "lessons.toml").read_text(encoding="utf-8"))
    assert set(held) == set(LANGUAGES)
    assert {table: texts.keys() for table, texts in held["ko"].items()} == {
        table: texts.keys() for table, texts in held["en"].items()
    }
    assert {key: slots(text) for key, text in held["ko"]["verdicts"].items()} == {
        key: slots(text) for key, text in held["en"]["verdicts"].items()
    }
    assert set(held["ko"]) == {*FAULTS, "verdicts", "checks", "reasons"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_and_check_is_explained(language):
    for name in FAULTS:
        words = lesson(name, language)
        assert words.keys() == {"switch", "what", "symptom", "notice", "report", "code"}
        assert all(words[key].strip() for key in words if key != "report")
        assert all(words[key].count("`") % 2 == 0 for key in ("what", "symptom", "notice"))
    assert lesson("checks", language).keys() == set(CHECKS)
    assert len({lesson(name, language)["switch"] for name in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_public_reports_and_marked_code_are_the_same_in_both_languages(fault):
    korean, english = (lesson(fault, language) for language in LANGUAGES)
    assert korean["report"] == english["report"]
    assert re.findall("`([^`]+)`", korean["notice"]) == re.findall("`([^`]+)`", english["notice"]) != []


@pytest.mark.parametrize("fault", EXPECTED)
def test_fault_alone_gives_the_verdict_that_one_expects(shelf, fault):
    assert {name for name, _ in findings(shelf, "llama3", TOY, single(fault))} == EXPECTED[fault]


# Bug: the pad token of the shipped model is a control token, and padding counts as forged.
@pytest.mark.parametrize("fault", ["pad_by_value", "pad_left"])
def test_padding_is_no_forged_control_token(shelf, fault):
    assert "no_forged" not in {name for name, _ in findings(shelf, "model", TOY, single(fault))}


def test_pasted_control_token_is_forged_only_where_contents_are_unprotected(shelf):
    assert {name for name, _ in findings(shelf, "llama3", TOY, Faults(pasted=True, unprotected=True))} == {
        "no_forged",
        "prefix",
    }


def test_correct_row_is_fine_and_nothing_more(shelf):
    assert [name for name, _ in findings(shelf, "llama3", ("row", 3, "", "", ""), Faults())] == ["fine"]


def test_shorter_row_is_padded_in_the_lab_whatever_characters_it_has(
    shelf,
):  # bug: the partner is longer in characters, not in tokens
    emoji = ("own", 0, "", "🦩" * 300, "답")
    *_, before, _ = break_rows(shelf, "model", emoji, Faults(pad_left=True))
    longest = max(
        len(shelf.model_chat.encode_row(shelf.messages("row", number, "", "", "")[0])) for number in range(0, 991, 10)
    )
    assert "padding" in before.origins or longest <= len(before)


def test_every_verdict_is_given_by_some_fault_and_said_in_both_languages(shelf):
    combinations = [*map(single, FAULTS), Faults(), Faults(cut=10), Faults(pasted=True, unprotected=True)]
    given = {name: values for faults in combinations for name, values in findings(shelf, "llama3", TOY, faults)}
    given |= dict(findings_of_a_gap(shelf))
    for language in LANGUAGES:
        assert given.keys() == lesson("verdicts", language).keys()
        for name, values in given.items():
            assert Page(format_verdicts([(name, values)], language=language)).text.strip()
            assert slots(lesson("verdicts", language)[name]) <= values.keys()


def test_every_reason_is_given_by_some_row_and_explained_in_both_languages(shelf):
    given, chat = set(), shelf.chat("llama3")
    pairs = [
        break_rows(shelf, "llama3", TOY, faults)[-2:]
        for faults in (*map(single, FAULTS), Faults(pasted=True, unprotected=True))
    ]
    for pair in (*pairs, [prepare_row(load_trainers()["mlx-mask"], chat, shelf.messages(*TOY)[0], today=CONSTANT_DAY)]):
        for row in pair:
            read = tokens.read_tokens(chat, row)
            given |= {token.reason for token in read}
            assert all(
                (token.label == IGNORED)
                == (token.reason in ("padding", "control", "template", "lost_answer", "system", "user"))
                for token in read
            )
    assert all(given == lesson("reasons", language).keys() for language in LANGUAGES)
