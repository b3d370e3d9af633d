import pytest

from newsft.data.rows import split_rows
from newsft.errors import UserError
from newsft.lessons.arithmetic import RowTokens, compute, count_tokens
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from newsft.training.preflight import encode_rows, preflight

MINI = RECIPES["mini"]
LESSON = {"rows": 496, "epochs": 3, "batch_size": 2, "accumulation": 2, "processes": 1}
COUNTED = RowTokens((10,) * 496, (3,) * 496)


def test_lesson_makes_372_updates():
    run = compute(MINI, COUNTED, **LESSON)
    assert (run.per_epoch, run.updates, run.rows_per_update, run.rows_in_last) == (124, 372, 4, 4)
    assert (run.tokens, run.trained) == (3 * 4960, 3 * 1488)


@pytest.mark.parametrize(
    ("changed", "per_epoch", "updates", "last"),
    [
        ({"rows": 495}, 124, 372, 3),
        ({"batch_size": 3}, 83, 249, 4),
        ({"processes": 2}, 62, 186, 8),
        ({"rows": 1, "epochs": 1}, 1, 1, 1),
        ({"batch_size": 256, "accumulation": 256}, 1, 3, 496),
    ],
)
def test_updates_that_do_not_divide_evenly_are_rounded_up_in_every_epoch(changed, per_epoch, updates, last):
    run = compute(MINI, COUNTED, **LESSON | changed)
    assert (run.per_epoch, run.updates, run.rows_in_last) == (per_epoch, updates, last)


@pytest.mark.parametrize(
    "changed", [{"rows": 497}, {"rows": 0}, {"epochs": None}, {"batch_size": 1.5}, {"processes": 65}]
)
def test_quantity_out_of_its_range_is_named(changed):
    with pytest.raises(UserError) as error:
        compute(MINI, COUNTED, **LESSON | changed)
    assert error.value.key == "quantity" and error.value.values["name"] == next(iter(changed))


def test_tokens_are_those_that_the_preflight_report_counts(rows):
    train = split_rows(rows, test_ratio=MINI.test_ratio).train[:20]
    loaded = load_base(MINI.model)
    counted = count_tokens(loaded.chat, train, max_length=MINI.max_length)
    report = preflight(loaded, train, encode_rows(loaded, train, MINI), MINI)
    assert (sum(counted.tokens), sum(counted.trained)) == (report.tokens, report.trained_tokens)
