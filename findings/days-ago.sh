#!/usr/bin/env bash
# dateparser 1.5.0: Korean dates without a month or with a year alone are read as spans of time: "5일" (the 5th) is five days ago, "지난달 30일" thirty days before the same day of last month, "2025년" the year 1.
# Hurts whoever dates Korean news or answers with it to split rows by time, to look for leaks or to score dates: Korean news names days of this month by their number alone, and each comes back as a plausible datetime.
# Instead: read 일, 이달, 지난달 and 다음 달 with an expression of your own against the article's date; leave to dateparser only texts with month and day, and reject other results.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check dateparser==1.5.0 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from datetime import datetime

import dateparser

WRITTEN = datetime(2026, 11, 20, 10, 0)
SETTINGS = {"RELATIVE_BASE": WRITTEN}
# text: what a reader understands, what is returned
CASES = {
    "5일": ("2026-11-05", "2026-11-15"),
    "15일": ("2026-11-15", "2026-11-05"),
    "5일 오후 3시": ("2026-11-05", "2026-11-15"),
    "이번 달 5일": ("2026-11-05", "2026-11-15"),
    "지난달 30일": ("2026-10-30", "2026-09-20"),
    "다음 달 5일": ("2026-12-05", "2026-12-25"),
    "2025년": ("2025", "0001-11-20"),
    "11월 5일": ("2026-11-05", "2026-11-05"),
    "2025년 3월 5일": ("2025-03-05", "2025-03-05"),
}

print("dateparser", dateparser.__version__, "article of", WRITTEN.date())
described = True
for text, (meant, expected) in CASES.items():
    got = dateparser.parse(text, languages=["ko"], settings=SETTINGS)
    day = got and got.date().isoformat()
    print(f"{text}: meant {meant}, read {day}")
    described = described and day == expected
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
