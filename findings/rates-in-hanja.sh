#!/usr/bin/env bash
# hanja 0.15.1: translate knows one reading of a character, whatever the word: 率 is always 솔, so 收益率 becomes 수익솔, 失業率 실업솔, 利率 이솔; 不 before ㄷ and ㅈ stays 불: 不動産 becomes 불동산, 不渡 불도.
# Hurts whoever turns the Hanja of headlines into Hangul before training or before comparing answers: the words of rates, property and defaults come out as words that no one writes, while 金利, 銀行 and 來年 beside them are right.
# Instead: replace whole words from a short list of your own (收益率, 利率, 失業率, 不動産, 不渡, ...) before calling it, and look for 솔 in what comes back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check hanja==0.15.1 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import hanja

# Hanja: right reading, reading given
CASES = {
    "收益率 3.5%": ("수익률 3.5%", "수익솔 3.5%"),
    "失業率": ("실업률", "실업솔"),
    "利率": ("이율", "이솔"),
    "換率": ("환율", "환솔"),
    "比率": ("비율", "비솔"),
    "不動産": ("부동산", "불동산"),
    "不渡": ("부도", "불도"),
    "不足": ("부족", "불족"),
    "金利 인하": ("금리 인하", "금리 인하"),
    "銀行": ("은행", "은행"),
    "來年": ("내년", "내년"),
}

print("hanja", version("hanja"))
described = True
for text, (right, expected) in CASES.items():
    got = hanja.translate(text, "substitution")
    print(f"{text}: right {right}, given {got}")
    described = described and got == expected
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
