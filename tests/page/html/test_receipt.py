from dataclasses import replace

import pytest

from newsft.inference.receipt import NO_DIFFERENCE, NO_PREFIX, OTHER_BASE, OTHER_IDS
from newsft.inference.types import AnswerStream, Receipt
from newsft.page.html.receipt import format_receipt
from newsft.page.texts import say
from tests.page.html.test_compare import EVIL, LANGUAGES, Page

RECEIPT = Receipt(
    prompt_hashes={"base": "aa11", "tuned": "aa11"},
    prompt_tokens=1_531,
    is_prefix=True,
    decoding={"method": "greedy", "max_new_tokens": 512},
    stop_ids={128009: ["template", "tokenizer"], 128001: ["config"]},
    reasons={"base": "limit", "tuned": "end_of_turn"},
    adapters={"base": None, "tuned": "default"},
    base_fingerprint="b1",
    adapter_fingerprint="a1",
    data_fingerprint=None,
    difference={"largest": 3.25, "mean": 0.5},
    alarms=(),
    adapter_settings={"r": 8, "alpha": 32},
)
ANSWERS = {"base": AnswerStream("글", 512, 4.0, "limit"), "tuned": AnswerStream("글", 160, 2.0, "end_of_turn")}


@pytest.mark.parametrize("language", LANGUAGES)
def test_receipt_is_folded_and_holds_every_figure(language):
    html = format_receipt(RECEIPT, ANSWERS, language=language)
    page = Page(html)
    assert html.startswith("<details") and "open" not in html.split(">")[0]
    for shown in (
        "aa11",
        "1,531",
        "128009 (template, tokenizer); 128001 (config)",
        "3.250",
        "0.500",
        "default",
        "r 8, alpha 32",
        "b1",
        "a1",
        say("adapter_off", language),
        say("unknown", language),
        say("limit", language),
    ):
        assert shown in page.text, shown
    assert page.text.count("aa11") == 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("alarm", [NO_DIFFERENCE, NO_PREFIX, OTHER_BASE, OTHER_IDS])
def test_alarm_stands_outside_the_fold_in_words(language, alarm):
    html = format_receipt(replace(RECEIPT, alarms=(alarm,)), ANSWERS, language=language)
    outside = html.split("<details")[0]
    assert say(f"alarm_{alarm}", language) in Page(outside).text and 'role="alert"' in outside


def test_markup_in_a_name_is_shown_and_not_run():
    page = Page(format_receipt(replace(RECEIPT, adapters={"base": None, "tuned": EVIL}), ANSWERS, language="ko"))
    assert EVIL in page.text and not {"script", "img"} & set(page.tags)
