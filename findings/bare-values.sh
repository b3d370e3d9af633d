#!/usr/bin/env bash
# json_repair 0.64.6: of a value without quotes it keeps the number and drops what follows: 3~4% becomes 3, "12.5%p 하락" 12.5, $3.5 3.5, code 005930 5930; 12억 stays "12억".
# Hurts whoever reads a model's answers with it and scores their fields: a range becomes its lower end and a fall a bare number, in valid types and without an error, even with strict=True.
# Instead: put bare values into quotes before repairing, and compare what comes back with the raw answer's characters.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check json_repair==0.64.6 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import re
from importlib.metadata import version

import json_repair

ANSWER = '{"전망": 3~4%, "비중": 12.5%p 하락, "목표가": $3.5, "코드": 005930, "매출": 12억}'
EXPECTED = {"전망": 3, "비중": 12.5, "목표가": 3.5, "코드": 5930, "매출": "12억"}
WHOLE = {"전망": "3~4%", "비중": "12.5%p 하락", "목표가": "$3.5", "코드": "005930", "매출": "12억"}

got = json_repair.loads(ANSWER)
strict = json_repair.loads('{"전망": 3~4%}', strict=True)
quoted = json_repair.loads(re.sub(r': *([^"\s{\[][^,}\]]*)', r': "\1"', ANSWER))
print("json_repair", version("json_repair"))
print("answer ", ANSWER)
print("read   ", got)
print("strict ", strict)
print("quoted ", quoted)
described = got == EXPECTED and strict == {"전망": 3} and quoted == WHOLE
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
