"""What stops a run before its first step, and what is only said."""

from types import SimpleNamespace

import pytest

from newsft.encoding.chat import ChatFormat
from newsft.recipe import RECIPES
from newsft.training.preflight import encode_rows, preflight
from tests.tokenizers import SMALL, THINKING

RECIPE = RECIPES["mini"]


def rows_with(*answers):
    return [
        {"system_prompt": "요약하라.", "user_prompt": f"소식 {number}", "assistant": answer}
        for number, answer in enumerate(answers)
    ]


def report(tokenizer, rows):
    loaded = SimpleNamespace(chat=ChatFormat(tokenizer))
    return preflight(loaded, rows, encode_rows(loaded, rows, RECIPE), RECIPE, first=7)


@pytest.mark.parametrize("kind", SMALL)
def test_rows_of_every_kind_of_tokenizer_pass(kind):
    found = report(SMALL[kind](), rows_with("{'a': 1}", "{'b': '뷁!!'}"))
    assert found.failures == [] and "checks passed" in found.report()


def test_answer_that_the_template_takes_apart_is_refused_with_the_first_difference():
    found = report(SMALL["byte_level"](THINKING), rows_with("{'a': 1}", "<think>\n왜\n</think>\n\n답"))
    assert len(found.failures) == 1
    assert "(rows 8). Row 8: the chat template writes" in found.failures[0] and "왜" in found.failures[0]


def test_shortened_row_is_checked_as_it_is():
    rows = rows_with("{'a': 1}")
    rows[0]["user_prompt"] = "새빛전자 소식. " * 400
    loaded = SimpleNamespace(chat=ChatFormat(SMALL["byte_level"]()))
    encoded = encode_rows(loaded, rows, RECIPE.__class__(**{**vars(RECIPE), "max_length": 200}))
    found = preflight(loaded, rows, encoded, RECIPE)
    assert found.failures == [] and found.shortened == [0]
