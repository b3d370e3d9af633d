#!/usr/bin/env bash
# pydantic 2.14.4 (and jiter 0.19.0): `from_json(allow_partial=True)` is for input that ends too early, but behind a value it also stops at any stray character of a whole answer and drops all that follows, without an error.
# Hurts whoever reads a model's answers with it, above all into a model with default lists: one unescaped quote or a forgotten comma, and the fields behind it become empty lists, a valid "no negative company".
# Instead: the strict reader first; allow_partial only where the answer does end too early (no closing bracket as its last character), and never for scoring.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check pydantic==2.14.4 jiter==0.19.0 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import json
from importlib.metadata import version

import jiter
import pydantic
from pydantic_core import from_json

CASES = {
    '{"요약": "가온은행이 "적자"를 냈다", "부정": ["가온은행"]}': {"요약": "가온은행이 "},
    '{"긍정": ["해담전자" "누리화학", "다솜건설"], "부정": ["가온은행"]}': {"긍정": ["해담전자"]},
    '{"긍정": ["해담전자"]; "부정": ["가온은행"]}': {"긍정": ["해담전자"]},
    '{"긍정": ["해담전자"]} {"부정": ["가온은행"]}': {"긍정": ["해담전자"]},
}


class Answer(pydantic.BaseModel):
    긍정: list[str] = []
    부정: list[str] = []


print("pydantic", pydantic.VERSION, "| pydantic_core", version("pydantic_core"), "| jiter", version("jiter"))
described = True
for answer, expected in CASES.items():
    try:
        json.loads(answer)
        refused = False
    except ValueError:
        refused = True
    core = from_json(answer, allow_partial=True)
    raw = jiter.from_json(answer.encode(), partial_mode=True)
    described &= refused and core == raw == expected
    print(answer, "->", core)
PARTIAL = list(CASES)[1]
read = Answer.model_validate(from_json(PARTIAL, allow_partial=True))
print("into a model with default lists:", read)
try:
    from_json('{"긍정": [해담전자]}', allow_partial=True)
    described = False
except ValueError as error:
    print("where a value should begin it does raise:", error)
described &= read == Answer(긍정=["해담전자"], 부정=[])
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
