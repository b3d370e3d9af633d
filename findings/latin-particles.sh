#!/usr/bin/env bash
# hgtk 0.2.1: `josa.attach` takes every name that ends in B, C, K or T for one that ends in a consonant, and every one that ends in a digit for one that ends in a vowel: "KT이", "SK을", "HLB과", and "누리3가", "코스피200를" for 누리삼이, 코스피이백을. The other letters and 2, 4, 5 and 9 are right. (It needs six, which it does not ask for.)
# Hurts whoever puts other company names into articles to make more training rows, or writes sentences from fields: these names get a particle that no Korean writes, and the model learns it.
# Instead: ask the letter's or digit's Korean name, which it gets right (josa.attach("케이", ...)[-1]), or tossi 0.3.1 for digits, which writes both particles behind Latin letters: "KT은(는)".
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check hgtk==0.2.1 six==1.17.0 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from hgtk import josa

print("hgtk", version("hgtk"))
READ = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        "에이 비 씨 디 이 에프 지 에이치 아이 제이 케이 엘 엠 엔 오 피 큐 알 에스 티 유 브이 더블유 엑스 와이 제트 "
        "영 일 이 삼 사 오 육 칠 팔 구".split(),
    )
)
wrong = [
    sign
    for sign, name in READ.items()
    if josa.attach("해담" + sign, josa.EUN_NEUN)[-1] != josa.attach(name, josa.EUN_NEUN)[-1]
]
print("other particles than their Korean names:", " ".join(wrong))
CASES = [
    ("KT", josa.I_GA, "KT이"),
    ("SK", josa.EUL_REUL, "SK을"),
    ("HLB", josa.GWA_WA, "HLB과"),
    ("누리3", josa.I_GA, "누리3가"),
    ("코스피200", josa.EUL_REUL, "코스피200를"),
    ("해담전자", josa.I_GA, "해담전자가"),  # right
    ("LG", josa.I_GA, "LG가"),  # right
]
got = [josa.attach(name, particle) for name, particle, _ in CASES]
print(*got, sep=", ")
described = wrong == list("BCKT013678") and got == [expected for *_, expected in CASES]
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
