#!/usr/bin/env bash
# cleanco 2.3: basename, which takes legal forms off company names, knows Inc. and AG and not 주식회사, (주) or ㈜; what it takes off a Korean name is the closing bracket: "해담전자(주)" becomes "해담전자(주", "해담전자(012345)" becomes "해담전자(012345".
# Hurts whoever folds names with it before they are compared or counted: "주식회사 해담전자", "해담전자(주)" and "해담전자" stay three companies, and the names that come out stand in no article to the letter.
# Instead: take (주), ㈜, 주식회사 and a six-digit code in brackets off by a rule of your own, at both ends, and cleanco's forms only from names in Latin letters; compare folded names, and keep the written ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check cleanco==2.3 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from cleanco import basename

print("cleanco", version("cleanco"))
CASES = {
    "해담전자(주)": "해담전자(주",
    "해담전자(012345)": "해담전자(012345",
    "주식회사 해담전자": "주식회사 해담전자",
    "해담전자 주식회사": "해담전자 주식회사",
    "㈜해담전자": "㈜해담전자",
    "Haedam Electronics Inc.": "Haedam Electronics",  # what it is made for
}
described = True
for name, expected in CASES.items():
    got = basename(name)
    print(f"{name} -> {got}")
    described = described and got == expected
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
