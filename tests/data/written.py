"""Rows written to files of each kind, for the tests of what reads them."""

import csv
import json

import pyarrow as pa
import pyarrow.parquet as pq

from newsft.data.rows import COLUMNS

# Commas, quotes and line breaks: what a CSV file has to survive.
ANSWERS = [f"{{'summary': '요약 {number}', 'x': None}}" for number in range(4)]
ROWS = [
    {"system_prompt": '시스템 "규칙", 하나', "user_prompt": f"뉴스 {n}\n둘째 줄, '인용'", "assistant": answer}
    for n, answer in enumerate(ANSWERS)
]


def write_jsonl(path, rows, *, encoding="utf-8"):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding=encoding)
    return str(path)


def write_csv(path, rows, *, encoding="utf-8", columns=COLUMNS):
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def write_parquet(path, rows):
    pq.write_table(pa.Table.from_pylist(rows), path)
    return str(path)


def write_array(path, rows):
    path.write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return str(path)
