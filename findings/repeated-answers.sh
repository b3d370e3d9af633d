#!/usr/bin/env bash
# rouge 1.0.1: each word of an answer counts once, however often it stands there: an answer that repeats the right sentence twenty times has precision 1.0 and F 1.0 in ROUGE-1 and ROUGE-L.
# Hurts whoever compares adapters with it: an answer that loops to its length limit scores like the right one. The dot of 3.5% ends a sentence for it too, so that "3. 5%" is a perfect match.
# Instead: count n-grams with a Counter, and report each answer's length and share of repeated n-grams beside the score. Rouge(exclusive=False) counts repeats in ROUGE-N, but its ROUGE-L then has a recall of 20 and an F of 1.9.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check rouge==1.0.1 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from rouge import Rouge

GOLD = "해담전자 매출이 크게 늘었다."
LOOP = " ".join([GOLD] * 20)
HALF = "해담전자 매출이 " * 20


def scores(answer, gold, **options):
    got = Rouge(**options).get_scores(answer, gold)[0]
    return {name: (round(got[name]["p"], 2), round(got[name]["r"], 2), round(got[name]["f"], 2)) for name in got}


print("rouge", version("rouge"))
seen = {"right": scores(GOLD, GOLD), "loop": scores(LOOP, GOLD), "half loop": scores(HALF, GOLD), "loop, exclusive=False": scores(LOOP, GOLD, exclusive=False),
        "3. 5%": scores("매출 3. 5% 증가", "매출 3.5% 증가")}
for name, got in seen.items():
    print(f"{name}: precision, recall, F {got}")
full = (1.0, 1.0, 1.0)
described = (
    seen["loop"]["rouge-1"] == seen["loop"]["rouge-l"] == full
    and seen["half loop"]["rouge-1"] == (1.0, 0.5, 0.67)
    and seen["loop, exclusive=False"]["rouge-1"][0] == 0.05
    and seen["loop, exclusive=False"]["rouge-l"] == (1.0, 20.0, 1.9)
    and set(seen["3. 5%"].values()) == {full}
)
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
