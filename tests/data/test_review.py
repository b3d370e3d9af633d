from newsft.data.review import review
from newsft.data.rows import split_rows
from tests import tiny


def split(rows):
    return split_rows(rows, test_ratio=0.5)


def test_shipped_rows_and_clean_rows_have_nothing_odd(rows):
    assert review(split(tiny.make_rows(8))) == []
    assert review(split(rows)) == []


def test_answers_that_are_no_dictionary_are_counted_and_named():
    rows = tiny.make_rows(8)
    rows[1]["assistant"], rows[4]["assistant"], rows[6]["assistant"] = (
        "None",
        "{'summary': '나온 '가게' 이름'}",
        '{"is_stock_related": true}',
    )
    (oddity,) = review(split(rows))
    assert (
        oddity.startswith("3 row(s) have an answer that is no dictionary")
        and "rows 1, 4, 6" in oddity
        and "Write it as a Python dict" in oddity
    )


def test_repeated_news_is_named_in_each_half_and_across_them():
    rows = tiny.make_rows(8)
    rows[2] = rows[0]
    rows[7] = rows[5] | {"assistant": "{'summary': '다른 답'}"}
    rows[6] = rows[0]
    training, test, across = review(split(rows))
    assert training.startswith("1 row(s) of the training half repeat") and "(rows 7)" in training
    assert test.startswith("1 row(s) of the test half repeat") and "(rows 2)" in test
    assert (
        across.startswith("1 row(s) of the training half have the news of a test row")
        and "(rows 6)" in across
        and "Remove" in across
    )


def test_traces_of_a_wrong_encoding_are_named():
    rows = tiny.make_rows(4)
    rows[3]["user_prompt"] += "\ufffd\ufffd"
    (oddity,) = review(split(rows))
    assert oddity.startswith("1 row(s) hold the character \ufffd") and "(rows 3)" in oddity and "UTF-8" in oddity


def test_many_rows_are_counted_and_the_first_ten_named():
    rows = [row | {"assistant": "?"} for row in tiny.make_rows(30)]
    (oddity,) = review(split(rows))
    assert oddity.startswith("30 row(s)") and "8, 9 and 20 more" in oddity
