#!/usr/bin/env bash
# datasets 5.2.0: a JSONL column with an object in one row and strings in others decodes the strings as JSON: "005930" becomes 5930, "3.50" 3.5, "null" and "NaN" None.
# Hurts whoever loads answers that are sometimes an object and sometimes text: one odd row changes the others, which load as they are once it is gone.
# Instead: write the objects too as text (json.dumps) before loading, so that the column has strings only.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check datasets==5.2.0 pyarrow==26.0.1 || exit 2
cd "$folder"
HF_HOME="$folder/cache" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 "$folder/venv/bin/python" - <<'PYTHON'
import json
from pathlib import Path

import datasets

STRINGS = ["005930", "3.50", "null", "NaN", "하락"]


def load(name, answers):
    path = Path(name)
    path.write_text("".join(json.dumps({"answer": answer}, ensure_ascii=False) + "\n" for answer in answers), encoding="utf-8")
    return list(datasets.load_dataset("json", data_files=str(path), split="train")["answer"])


thing = {"종목": "해담전자"}
alone, mixed, written = load("alone.jsonl", STRINGS), load("mixed.jsonl", [*STRINGS, thing]), load("written.jsonl", [*STRINGS, json.dumps(thing, ensure_ascii=False)])
print("datasets", datasets.__version__)
print("strings alone      ", alone)
print("an object among them", mixed)
print("the object as text ", written)
described = alone == STRINGS and mixed == [5930, 3.5, None, None, "하락", thing] and written[:-1] == STRINGS
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
