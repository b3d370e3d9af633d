import json
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsft.data.messages import gold_text, row_messages
from newsft.data.rows import COLUMNS, keep_for_measuring, load_rows, split_rows
from newsft.data.text import clean_text
from newsft.errors import UserError
from newsft.fingerprints import fingerprint_rows
from tests.data.written import ROWS, write_array, write_csv, write_jsonl, write_parquet


def test_jsonl_rows_come_back_as_written(tmp_path):
    assert load_rows(write_jsonl(tmp_path / "news.jsonl", ROWS)) == ROWS


def test_jsonl_with_byte_order_mark_and_blank_lines_loads(tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text("\n".join(json.dumps(row) + "\n" for row in ROWS) + "\n\n", encoding="utf-8-sig")
    assert load_rows(str(path)) == ROWS


def test_answer_dicts_of_jsonl_keep_their_own_keys_and_order(tmp_path):
    answers = [
        {"summary": "가", "is_stock_related": False},
        {"is_stock_related": True, "positive_impact_stocks": ["나"], "summary": None},
    ]
    rows = [row | {"assistant": answer} for row, answer in zip(ROWS, answers, strict=False)]
    loaded = load_rows(write_jsonl(tmp_path / "news.jsonl", rows))
    assert [list(row["assistant"].items()) for row in loaded] == [list(answer.items()) for answer in answers]
    assert gold_text(loaded[0]) == "{'summary': '가', 'is_stock_related': False}"


def test_json_list_loads(tmp_path):
    path = tmp_path / "news.json"
    path.write_text(json.dumps(ROWS), encoding="utf-8")
    assert load_rows(str(path)) == ROWS


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_rows_come_back_as_written(tmp_path, encoding):
    assert load_rows(write_csv(tmp_path / f"{encoding}.csv", ROWS, encoding=encoding)) == ROWS


def test_csv_from_windows_with_capital_extension_loads(tmp_path):
    assert load_rows(write_csv(tmp_path / "NEWS.CSV", ROWS, encoding="utf-8-sig")) == ROWS


def test_parquet_rows_come_back_as_written(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "news.parquet")
    assert load_rows(str(tmp_path / "news.parquet")) == ROWS


def test_other_columns_are_left_out_and_told(tmp_path):
    told = []
    assert load_rows(write_jsonl(tmp_path / "news.jsonl", [row | {"id": 7} for row in ROWS]), tell=told.append) == ROWS
    assert told == ["the column(s) id are left out"]


def test_rows_whose_characters_were_changed_are_counted_and_named(tmp_path):
    changed = [
        ROWS[0],
        ROWS[1] | {"user_prompt": unicodedata.normalize("NFD", ROWS[1]["user_prompt"])},
        ROWS[2] | {"assistant": ROWS[2]["assistant"] + "\0"},
    ]
    told = []
    assert load_rows(write_jsonl(tmp_path / "news.jsonl", changed), tell=told.append) == ROWS[:3]
    assert len(told) == 1 and told[0].startswith("2 row(s) were normalised") and "(rows 1, 2)" in told[0]


@pytest.mark.parametrize("write, ending", [(write_jsonl, "jsonl"), (write_csv, "csv")])
def test_folder_is_read_file_by_file_in_the_order_of_names(tmp_path, write, ending):
    write(tmp_path / f"b.{ending}", ROWS[2:])
    write(tmp_path / f"a.{ending}", ROWS[:2])
    (tmp_path / "README.md").write_text("no data")
    assert load_rows(str(tmp_path)) == ROWS


def test_same_rows_have_the_same_fingerprint_whatever_the_file(tmp_path):
    from_jsonl = load_rows(write_jsonl(tmp_path / "news.jsonl", ROWS))
    from_csv = load_rows(write_csv(tmp_path / "news.csv", ROWS))
    assert fingerprint_rows(from_jsonl) == fingerprint_rows(from_csv)
    assert fingerprint_rows(ROWS) != fingerprint_rows(ROWS[::-1])
    assert fingerprint_rows(ROWS) != fingerprint_rows([ROWS[0] | {"assistant": "{}"}, *ROWS[1:]])


@pytest.mark.parametrize(
    "write, ending", [(write_jsonl, "jsonl"), (lambda path, rows: write_csv(path, rows, columns=list(rows[0])), "csv")]
)
def test_missing_column_is_named_with_those_that_are_there(tmp_path, write, ending):
    rows = [{"system_prompt": "a", "news": "b", "assistant": "c"}]
    with pytest.raises(UserError, match="has no column user_prompt; it has system_prompt, news, assistant"):
        load_rows(write(tmp_path / f"news.{ending}", rows))


def test_column_missing_in_a_later_row_names_the_row(tmp_path):
    rows = [*ROWS[:2], {"system_prompt": "a", "user_prompt": "b"}]
    with pytest.raises(UserError, match=r"assistant is empty in 1 row\(s\), first 2"):
        load_rows(write_jsonl(tmp_path / "news.jsonl", rows))


@pytest.mark.parametrize("value", ["", " \n", None])
def test_empty_cell_of_jsonl_names_its_rows(tmp_path, value):
    rows = [ROWS[0], ROWS[1] | {"user_prompt": value}, ROWS[2], ROWS[3] | {"user_prompt": value}]
    with pytest.raises(UserError, match=r"user_prompt is empty in 2 row\(s\), first 1, 3"):
        load_rows(write_jsonl(tmp_path / "news.jsonl", rows))


def test_empty_cell_of_csv_names_its_row(tmp_path):
    with pytest.raises(UserError, match=r"assistant is empty in 1 row\(s\), first 1"):
        load_rows(write_csv(tmp_path / "news.csv", [ROWS[0], ROWS[1] | {"assistant": ""}]))


def test_cell_that_is_not_text_names_its_row(tmp_path):
    with pytest.raises(UserError, match=r"user_prompt is not text in 1 row\(s\), first 1"):
        load_rows(write_jsonl(tmp_path / "news.jsonl", [ROWS[0], ROWS[1] | {"user_prompt": 5}]))


@pytest.mark.parametrize(
    "name, content",
    [("a.jsonl", ""), ("a.jsonl", "\n\n"), ("a.json", "[]"), ("a.csv", ""), ("b.csv", ",".join(COLUMNS) + "\n")],
)
def test_file_without_rows_is_a_user_error(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=name):
        load_rows(str(tmp_path / name))


def test_bad_json_names_its_line(tmp_path):
    path = tmp_path / "news.jsonl"
    path.write_text(json.dumps(ROWS[0]) + "\n\n{'system_prompt': 'single quotes'}\n")
    with pytest.raises(UserError, match="line 3 is not valid JSON"):
        load_rows(str(path))


@pytest.mark.parametrize("name, content", [("a.jsonl", "[1, 2]\n"), ("a.jsonl", "5\n"), ("a.json", "[1]")])
def test_json_that_is_not_rows_is_a_user_error(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match="one JSON object a row"):
        load_rows(str(tmp_path / name))


@pytest.mark.parametrize("content", ["[" * 100_000, "{" + '"a":{' * 100_000, "{'a': 1}"])
def test_json_that_cannot_be_read_is_a_user_error(tmp_path, content):
    (tmp_path / "news.json").write_text(content)
    with pytest.raises(UserError, match=r"news.json.* is not valid JSON"):
        load_rows(str(tmp_path / "news.json"))


def test_json_file_may_hold_a_row_a_line(tmp_path):
    assert load_rows(write_jsonl(tmp_path / "news.json", ROWS)) == ROWS


def nfd(text):
    return unicodedata.normalize("NFD", text)


def test_texts_within_an_answer_that_is_an_object_are_normalised_and_told(tmp_path):
    plain = {"요약": "한글", "positive_keywords": ["가격", {"뜻": "인상\n끝"}], "x": None}
    odd = {nfd("요약"): nfd("한글") + "\0", "positive_keywords": [nfd("가격"), {"뜻": "인상\r\n끝"}], "x": None}
    told = []
    rows = load_rows(
        write_jsonl(tmp_path / "news.jsonl", [ROWS[0] | {"assistant": answer} for answer in (plain, odd)]),
        tell=told.append,
    )
    assert rows[1]["assistant"] == plain and gold_text(rows[0]) == gold_text(rows[1])
    assert len(told) == 1 and told[0].startswith("1 row(s) were normalised") and "(rows 1)" in told[0]


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
@pytest.mark.parametrize("write, suffix", [(write_jsonl, "jsonl"), (write_csv, "csv")])
def test_lines_end_as_in_pasted_text(tmp_path, ending, write, suffix):
    news = f"첫 줄{ending}둘째 줄{ending}"
    told = []
    (row,) = load_rows(
        write(tmp_path / f"news.{suffix}", [ROWS[0] | {"user_prompt": news, "system_prompt": news}]), tell=told.append
    )
    assert row["user_prompt"] == row["system_prompt"] == clean_text(news)[0] == "첫 줄\n둘째 줄\n"
    assert len(told) == 1 and "LF" in told[0]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "[1, NaN]", '{"a": NaN}'])
def test_number_that_python_cannot_write_names_its_row_and_key(tmp_path, text):
    lines = [
        json.dumps(ROWS[0]),
        json.dumps(ROWS[1] | {"assistant": {"summary": "가", "score": 0}}).replace(": 0}", f": {text}}}"),
    ]
    (tmp_path / "news.jsonl").write_text("\n".join(lines))
    with pytest.raises(UserError, match=r"no Python literal in 1 row\(s\), first 1; .*Row 1 holds score: "):
        load_rows(str(tmp_path / "news.jsonl"))


@pytest.mark.parametrize(
    "value", [datetime(2026, 1, 1), date(2026, 1, 1), Decimal("1.50"), float("nan"), timedelta(days=1)]
)
def test_value_of_parquet_that_python_cannot_write_names_its_row_and_key(tmp_path, value):
    pq.write_table(
        pa.Table.from_pylist([ROWS[0] | {"assistant": {"summary": "가", "when": value}}] * 2), tmp_path / "news.parquet"
    )
    with pytest.raises(UserError, match=r"no Python literal in 2 row\(s\), first 0, 1; .*Row 0 holds when: "):
        load_rows(str(tmp_path / "news.parquet"))


@pytest.mark.parametrize("value", [datetime(2026, 1, 1), Decimal("1.50"), 5930, [1.5], b"{}"])
def test_answer_of_parquet_that_is_neither_text_nor_object_is_refused(tmp_path, value):
    pq.write_table(pa.Table.from_pylist([ROWS[0] | {"assistant": value}]), tmp_path / "news.parquet")
    with pytest.raises(
        UserError, match=r"assistant is not text in 1 row\(s\), first 0; write it as text. Row 0 holds "
    ):
        load_rows(str(tmp_path / "news.parquet"))


def test_struct_of_parquet_that_may_have_added_keys_names_its_rows(tmp_path):
    answers = [{"summary": "가", "x": "나"}, {"summary": "다"}, {"x": "라", "summary": "마"}, {"x": {"y": None}}]
    told = []
    pq.write_table(
        pa.Table.from_pylist([ROWS[0] | {"assistant": answer} for answer in answers[:3]]), tmp_path / "news.parquet"
    )
    loaded = load_rows(str(tmp_path / "news.parquet"), tell=told.append)
    assert loaded[1]["assistant"] == {"summary": "다", "x": None}
    assert (
        len(told) == 1
        and "struct" in told[0]
        and "1 row(s)" in told[0]
        and "(rows 1)" in told[0]
        and "JSONL" in told[0]
    )


def test_struct_of_parquet_whose_rows_hold_every_key_says_nothing(tmp_path):
    told = []
    rows = [row | {"assistant": {"summary": "가", "x": ["나"]}} for row in ROWS]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "news.parquet")
    assert load_rows(str(tmp_path / "news.parquet"), tell=told.append) == rows and told == []


@pytest.mark.parametrize("blank", ["", " \n", None])
def test_data_set_that_asks_without_a_system_prompt_loads(tmp_path, blank):
    rows = load_rows(write_jsonl(tmp_path / "news.jsonl", [row | {"system_prompt": blank} for row in ROWS]))
    assert rows == [row | {"system_prompt": ""} for row in ROWS]
    assert [message["role"] for message in row_messages(rows[0])] == ["user", "assistant"]
    with pytest.raises(UserError, match=r"system_prompt is empty in 1 row\(s\), first 2"):
        load_rows(
            write_jsonl(
                tmp_path / "news.jsonl",
                [row | {"system_prompt": blank if number == 2 else "규칙"} for number, row in enumerate(ROWS)],
            )
        )


def without_system_prompt(rows):
    return [{name: row[name] for name in COLUMNS[1:]} for row in rows]


@pytest.mark.parametrize(
    "write, ending",
    [
        (write_jsonl, "jsonl"),
        (write_array, "json"),
        (lambda path, rows: write_csv(path, rows, columns=COLUMNS[1:]), "csv"),
        (write_parquet, "parquet"),
    ],
)
def test_file_without_system_prompts_is_for_measuring_and_not_for_training(tmp_path, write, ending):
    path = write(tmp_path / f"my news.{ending}", without_system_prompt(ROWS))
    rows = load_rows(path, measuring=True)
    assert rows == without_system_prompt(ROWS)
    split = keep_for_measuring(rows, system_prompt=ROWS[0]["system_prompt"])
    assert (split.test, split.train, split.fingerprint) == (ROWS, [], fingerprint_rows(ROWS))
    with pytest.raises(
        UserError, match=r"has no column system_prompt; .* add it, .*: python -m newsft.evaluation --data '.*my news"
    ) as caught:
        load_rows(path)
    assert "\n" not in str(caught.value)


def test_file_whose_later_rows_have_a_system_prompt_is_not_for_measuring(tmp_path):
    path = write_jsonl(tmp_path / "news.jsonl", [*without_system_prompt(ROWS[:1]), *ROWS[1:]])
    with pytest.raises(UserError, match=r"system_prompt is empty in 1 row\(s\), first 0"):
        load_rows(path, measuring=True)


@pytest.mark.parametrize("write, ending", [(write_jsonl, "jsonl"), (write_csv, "csv")])
def test_korean_file_in_cp949_loads_and_says_so(tmp_path, write, ending):
    told = []
    assert load_rows(write(tmp_path / f"news.{ending}", ROWS, encoding="cp949"), tell=told.append) == ROWS
    assert (
        len(told) == 1 and "read as cp949" in told[0] and f"news.{ending}" in told[0] and "save it as UTF-8" in told[0]
    )


@pytest.mark.parametrize("content", ["뉴스, 새빛전자가 올랐다.\n".encode() * 50 + b"\xff\n", "뉴스".encode("utf-16")])
def test_file_that_is_neither_utf8_nor_cp949_is_a_user_error(tmp_path, content):
    (tmp_path / "news.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"news.csv is neither UTF-8 \(byte \d+\) nor cp949 .*save it as UTF-8"):
        load_rows(str(tmp_path / "news.csv"))


def test_damaged_parquet_is_a_user_error(tmp_path):
    (tmp_path / "news.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(UserError, match="could not be read as parquet"):
        load_rows(str(tmp_path / "news.parquet"))


def test_parquet_with_a_damaged_page_is_a_user_error(tmp_path):
    path = tmp_path / "news.parquet"
    pq.write_table(
        pa.table({"user_prompt": [f"{number} 뉴스" * 50 for number in range(500)]}), path, use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    content[200:2_000] = b"\xff" * 1_800
    path.write_bytes(content)
    with pytest.raises(UserError, match="could not be read as parquet") as caught:
        load_rows(str(path))
    assert caught.value.key == "upload_damaged"


def test_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"There is no data file .*nowhere\.jsonl"):
        load_rows(str(tmp_path / "nowhere.jsonl"))


def test_file_of_another_kind_is_a_user_error(tmp_path):
    (tmp_path / "news.xlsx").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"news.xlsx is not a JSONL, CSV or Parquet file"):
        load_rows(str(tmp_path / "news.xlsx"))


def test_folder_without_data_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="holds no JSONL, CSV or Parquet file"):
        load_rows(str(tmp_path))


def test_hub_id_that_cannot_be_had_offline_is_a_user_error():
    with pytest.raises(UserError, match=r"no-such-owner/no-such-set could not be loaded from the hub .*--data"):
        load_rows("no-such-owner/no-such-set")


def test_split_is_the_lessons_495_and_496_rows_in_order(rows):
    split = split_rows(rows, test_ratio=0.5)
    assert (len(split.test), len(split.train)) == (495, 496)
    assert split.test == rows[:495] and split.train == rows[495:] and split.rows == rows


@pytest.mark.parametrize("count, ratio", [(1, 0.5), (3, 0.1)])
def test_split_with_an_empty_half_is_a_user_error(count, ratio):
    with pytest.raises(UserError, match="leave an empty half"):
        split_rows(ROWS[:count], test_ratio=ratio)
