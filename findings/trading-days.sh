#!/usr/bin/env bash
# exchange_calendars 4.13.2 and pandas_market_calendars 5.5.0: the Korean exchange (XKRX) is open on 3 June 2026 (local elections) and 17 July 2026 (Constitution Day, a day off again); holidays 0.109 has both in its list for the same exchange. Elections of earlier years are closed in all three.
# Hurts whoever joins news with the price of the same or the next trading day to label what it did to a company: news of these days is joined with a session that was none, a row without a price or with a change of zero.
# Instead: take as sessions the days that have prices, or the calendar less the days of `holidays.financial_holidays("XKRX")`.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check exchange_calendars==4.13.2 pandas_market_calendars==5.5.0 holidays==0.109 || exit 2
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import exchange_calendars
import holidays
import pandas_market_calendars

ours, theirs = exchange_calendars.get_calendar("XKRX"), pandas_market_calendars.get_calendar("XKRX")
days_off = holidays.financial_holidays("XKRX", language="en_US")
print(*(f"{name} {version(name)}" for name in ("exchange_calendars", "pandas_market_calendars", "holidays")))
# day: whether it is a session of the first, of the second, a day off of the third
CASES = {
    "2024-04-10": (False, False, True),
    "2025-06-03": (False, False, True),
    "2026-05-25": (False, False, True),
    "2026-06-03": (True, True, True),
    "2026-07-17": (True, True, True),
    "2026-11-20": (True, True, False),
}
described = True
for day, expected in CASES.items():
    got = ours.is_session(day), day in theirs.schedule(day, day).index, day in days_off
    print(f"{day}: a session {got[0]}, {got[1]}; day off {got[2]} {days_off.get(day, '')}")
    described = described and got == expected
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
