"""CSV: every cell is text as it stands, and a row that does not fit its header is noticed."""

import csv

import pytest

from newsft.data.rows import COLUMNS, load_rows
from newsft.errors import UserError
from tests.data.written import ROWS, write_csv

# What a spreadsheet or pandas takes for a missing value, a number or a truth value.
CELLS = [
    "None",
    "NA",
    "nan",
    "NaN",
    "null",
    "N/A",
    "#N/A",
    "<NA>",
    "005930",
    "0",
    "1",
    "1e5",
    "True",
    "False",
    "2026-01-01",
]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_cells_of_csv_are_text_whatever_they_look_like(tmp_path, cell, quoting):
    rows = [dict.fromkeys(COLUMNS, cell)] * 3
    with (tmp_path / "news.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, quoting=quoting)
        writer.writeheader()
        writer.writerows(rows)
    assert load_rows(str(tmp_path / "news.csv")) == rows


def test_codes_behind_ten_thousand_rows_of_text_keep_their_zeros(tmp_path):
    rows = [ROWS[0]] * 10_000 + [ROWS[0] | {"assistant": "005930"}] * 2_000
    assert load_rows(write_csv(tmp_path / "news.csv", rows)) == rows


@pytest.mark.parametrize("text", [",", "\n", "\r\n", '"', "' \"\", '", "뉴스 " * 100_000])
def test_csv_carries_any_text(tmp_path, text):
    rows = [row | {"user_prompt": f"뉴스{text}끝"} for row in ROWS]
    expected = [row | {"user_prompt": row["user_prompt"].replace("\r\n", "\n")} for row in rows]
    assert load_rows(write_csv(tmp_path / "news.csv", rows)) == expected


def test_unquoted_comma_in_every_row_is_noticed(tmp_path):
    (tmp_path / "news.csv").write_text(",".join(COLUMNS) + "\n" + "규칙,뉴스가, 났다,{}\n" * 3, encoding="utf-8")
    with pytest.raises(
        UserError,
        match=r"3 row\(s\) have another number of cells than the header's 3 \(rows 0, 1, 2; row 0 has 4\); put cells that hold a comma into double quotes",
    ):
        load_rows(str(tmp_path / "news.csv"))


def test_row_with_too_few_or_too_many_cells_is_named(tmp_path):
    (tmp_path / "news.csv").write_text(",".join(COLUMNS) + "\na,b,c\na,b\na,b,c,d\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"2 row\(s\) have another number of cells .*\(rows 1, 2; row 1 has 2\)"):
        load_rows(str(tmp_path / "news.csv"))


@pytest.mark.parametrize("line", ['a,"b"c,d', 'a,b,"c'])
def test_quote_that_csv_cannot_place_names_its_line(tmp_path, line):
    (tmp_path / "news.csv").write_text(",".join(COLUMNS) + f"\na,b,c\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"line 3 is not valid CSV: .*double quotes"):
        load_rows(str(tmp_path / "news.csv"))


def test_column_that_stands_twice_in_a_csv_is_named(tmp_path):
    (tmp_path / "news.csv").write_text(",".join([*COLUMNS, "assistant"]) + "\na,b,c,d\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"names the column\(s\) assistant twice"):
        load_rows(str(tmp_path / "news.csv"))
