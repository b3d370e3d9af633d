#!/usr/bin/env bash
# feedparser 6.0.14: dates of Korean feeds that are not RFC 822 to the letter come back as other dates: "2026.11.20 15:05" and "2026년 11월 20일 15:05:00" are the first of November, "2026-11-20 오후 3:05:00" midnight, "Fri, 20 Nov 2026 15:05:00 KST" 15:05 in UTC.
# Hurts whoever gathers news with it: a split by time, a search for leaks or a price after the news rests on *_parsed, which is filled and plausible, up to a month too early or nine hours late; `bozo` stays False.
# Instead: parse the entry's own string (entry.published) by the formats that your feeds use, with Asia/Seoul where no zone stands, and refuse the rest.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check feedparser==6.0.14 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import feedparser

print("feedparser", version("feedparser"))
FEED = "<rss version='2.0'><channel><title>뉴스</title><item><title>해담전자 수주</title><pubDate>{}</pubDate></item></channel></rss>"
CASES = {  # as the feed has it: what it is in UTC, as (year, month, day, hour, minute)
    "Fri, 20 Nov 2026 15:05:00 +0900": (2026, 11, 20, 6, 5),  # right
    "Fri, 20 Nov 2026 15:05:00 KST": (2026, 11, 20, 15, 5),
    "2026.11.20 15:05": (2026, 11, 1, 0, 0),
    "2026/11/20 15:05:00": (2026, 11, 1, 0, 0),
    "2026년 11월 20일 15:05:00": (2026, 11, 1, 0, 0),
    "2026-11-20 오후 3:05:00": (2026, 11, 20, 0, 0),
}
described = True
for date, expected in CASES.items():
    feed = feedparser.parse(FEED.format(date).encode())
    got = tuple(feed.entries[0].published_parsed)[:5]
    print(f"{date} -> {got}, bozo {bool(feed.bozo)}")
    described = described and got == expected and not feed.bozo
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
