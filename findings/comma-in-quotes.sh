#!/usr/bin/env bash
# sacremoses 0.2.0: MosesPunctNormalizer, made without a language, follows American typography and moves a comma or full stop after a quote to before it: ["해담전자", "가온은행"] becomes ["해담전자," "가온은행"].
# Hurts whoever straightens the curly quotes of whole training rows with it: Python joins strings that stand side by side, so literal_eval reads a list of three companies as one name, without an error, and the row teaches a list that was never there.
# Instead: normalise the article alone, never an answer that is code, and with lang="ko", which leaves the commas where they are; compare literal_eval before and after.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check sacremoses==0.2.0 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from ast import literal_eval
from importlib.metadata import version

from sacremoses import MosesPunctNormalizer

ANSWERS = [{"종목": ["해담전자", "가온은행", "나루화학"]}, {"종목": ["해담전자", "가온은행"], "전망": 3}]
JOINED = [{"종목": ["해담전자,가온은행,나루화학"]}, {"종목": ["해담전자,가온은행"], "전망": 3}]

print("sacremoses", version("sacremoses"))
described = True
for answer, expected in zip(ANSWERS, JOINED, strict=True):
    text = str(answer).replace("'", '"')
    default, korean = MosesPunctNormalizer().normalize(text), MosesPunctNormalizer(lang="ko").normalize(text)
    print(f"answer     {text}\ndefault    {default}\nread as    {literal_eval(default)}\nlang='ko'  {korean}")
    described = described and literal_eval(text) == answer == literal_eval(korean) and literal_eval(default) == expected
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
