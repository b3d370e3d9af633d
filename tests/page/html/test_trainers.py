import pytest

from newsft.lessons.source import Shelf
from newsft.lessons.trainers import load_trainers
from newsft.page.tabs.trainers import show_trainer
from newsft.page.texts import say
from tests.page.html.test_compare import LANGUAGES, Page
from tests.page.html.test_lesson import TOY_CHOICE, kinds

LONG = ("own", 0, "", "오늘 날씨는 맑고 화창합니다. " * 500, "맑음")


@pytest.fixture(scope="module")
def shelf(rows, chat):
    return Shelf(rows, chat)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", load_trainers())
def test_every_trainer_is_shown_with_its_facts(shelf, language, key):
    told, shown = show_trainer(shelf, language, "llama3", *TOY_CHOICE, key)
    page, trainer = Page(told), load_trainers()[key]
    assert page.tags.count("dt") == page.tags.count("dd") == 7 and trainer.version in page.text
    assert "`" not in page.text and "{" not in page.text.replace("{%", "")
    assert Page(shown).tags.count("section") > 2
    assert (
        (say("trainer_refuses", language) in page.text) == (say("trainer_no_row", language) in shown) == trainer.refuses
    )


def test_what_is_added_is_marked_and_said(shelf):
    told, shown = show_trainer(shelf, "en", "llama3", *TOY_CHOICE, "torchtune")
    text, (ours, theirs) = Page(told).text, shown.split('class="pane theirs"')
    assert "Of 55 tokens 19 are trained (of ours 15)." in text and "<|end_of_text|>" in text
    assert "Tokens that are trained and are not in ours: 4: <|start_header_id|>assistant<|end_header_id|>↵↵" in text
    assert [sum("x" in kind for kind in kinds(pane)) for pane in (ours, theirs)] == [4, 5]
    assert sum("t" in kind for kind in kinds(theirs)) == 19


def test_equal_row_has_no_mark_and_is_said_to_be_equal(shelf):
    told, shown = show_trainer(shelf, "ko", "model", *TOY_CHOICE, "axolotl")
    assert say("trainer_same", "ko") in told and not any("x" in kind for kind in kinds(shown))


def test_second_bos_is_said(shelf):
    told, _ = show_trainer(shelf, "ko", "llama3", *TOY_CHOICE, "trl-strings")
    assert say("trainer_two_bos", "ko", count=2) in told


def test_row_over_the_limit_is_said_to_be_left_out_or_cut(shelf):
    told, shown = show_trainer(shelf, "ko", "llama3", *LONG, "axolotl")
    assert say("trainer_left_out", "ko") in told and "512" in told and say("trainer_no_row", "ko") in shown
    told, shown = show_trainer(shelf, "ko", "llama3", *LONG, "mlx-mask")
    assert (
        say("trainer_left_out", "ko") not in told
        and say("trainer_row_theirs", "ko", name="mlx-lm", all="2,048", trained="0") in shown
    )


def test_ones_own_text_is_shown_as_text(shelf):
    told, shown = show_trainer(
        shelf, "ko", "llama3", "own", 0, "", "<img src=x onerror=alert(1)>", "<b>답</b>", "trl-text"
    )
    assert "<img" not in told + shown and "<b>" not in told + shown


def test_row_that_does_not_exist_is_explained(shelf):
    told, shown = show_trainer(shelf, "ko", "llama3", "row", 10**6, "", "", "", "mlx")
    assert "problem" in told and shown == ""
