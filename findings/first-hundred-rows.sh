#!/usr/bin/env bash
# polars 2.1.0: read_ndjson and scan_ndjson learn the types from 100 rows; of a list that was empty in all of them every later name becomes null, though the list keeps its length; keys first seen later, inside a dict too, are gone.
# Hurts whoever loads news rows with it: where the first hundred articles have no negative company, all negative names are lost, and a count of names or a check for null columns still agrees. A late value of another type does raise, so one trusts that every misfit would.
# Instead: infer_schema_length=None, or schema= with the list's type, and compare the names in df.to_dicts() with those in the lines (absent keys come back as None).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check polars==2.1.0 || exit 2
POLARS_MAX_THREADS=1 "$folder/venv/bin/python" - "$folder/rows.jsonl" <<'PYTHON'
import json
import sys

import polars

PATH = sys.argv[1]
QUIET = {"긍정": ["해담전자"], "부정": [], "등급": {"해담전자": "매수"}}
BAD = {"긍정": [], "부정": ["가온은행", "누리화학"], "등급": {"가온은행": "매도"}, "비고": "적자 전환"}


def write(rows):
    with open(PATH, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def last(frame):
    return frame.tail(1).to_dicts()[0]


print("polars", polars.__version__)
write([QUIET] * 99 + [BAD])
early = last(polars.read_ndjson(PATH))
write([QUIET] * 100 + [BAD])
eager, lazy = last(polars.read_ndjson(PATH)), last(polars.scan_ndjson(PATH).collect())
whole = last(polars.read_ndjson(PATH, infer_schema_length=None))
typed = polars.read_ndjson(PATH, schema={"긍정": polars.List(polars.String), "부정": polars.List(polars.String)})["부정"].to_list()[-1]
lengths = polars.read_ndjson(PATH)["부정"].list.len().to_list()[-2:]
nulls = polars.read_ndjson(PATH)["부정"].null_count()
print("the row          ", BAD)
print("as row 100       ", early)
print("as row 101       ", eager)
print("the same, scanned", lazy)
print("lengths of 부정", lengths, "nulls in the column", nulls)
print("all rows inferred", whole)
print("list with a schema", typed)
write([QUIET] * 100 + [{**QUIET, "등급": "매도"}])
try:
    raised = not polars.read_ndjson(PATH)
except polars.exceptions.PolarsError as error:
    raised = True
    print("a late string in place of a dict raises:", str(error).splitlines()[0])
described = (
    early["부정"] == whole["부정"] == typed == BAD["부정"]
    and early["비고"] == whole["비고"] == BAD["비고"]
    and eager == lazy == {"긍정": [], "부정": [None, None], "등급": {"해담전자": None}}
    and (lengths, nulls) == ([0, 2], 0)
    and raised
)
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
