#!/usr/bin/env bash
# soynlp 0.0.493: repeat_normalize, which shortens laughter such as "ㅋㅋㅋㅋ", counts digits as letters: "목표가 50000원" becomes "목표가 500원", "7777억" becomes "77억".
# Hurts whoever cleans Korean articles with it before training: prices change, while amounts below four equal digits or with commas stay, so samples look right.
# Instead: apply it to runs of letters only, re.sub(r"[^\W\d]+", ...), or compare the digits before and after.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check soynlp==0.0.493 numpy==2.4.6 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import re
from importlib.metadata import version

from soynlp.normalizer import repeat_normalize

print("soynlp", version("soynlp"))
EXPECTED = {
    "목표가 50000원": "목표가 500원",
    "순이익 7777억": "순이익 77억",
    "자본금 1000000원": "자본금 100원",
    "목표가 50,000원": "목표가 50,000원",
    "코스피 3000선": "코스피 3000선",
    "많이 올랐다 ㅋㅋㅋㅋ": "많이 올랐다 ㅋㅋ",
}
described = True
for text, expected in EXPECTED.items():
    got = repeat_normalize(text, num_repeats=2)
    careful = re.sub(r"[^\W\d]+", lambda run: repeat_normalize(run[0], num_repeats=2), text)
    print(f"{text!r}: {got!r}, letters only {careful!r}")
    described &= got == expected and re.findall(r"\d", careful) == re.findall(r"\d", text)
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
