#!/usr/bin/env bash
# price-parser 0.5.1: knows 원 as a currency and not 만, 억 or 조: "2조500억원" is 2 won, "312억 원" 312 won, "1만 2천원" 1 won. Of "3.5% 오른 7만2,300원" it takes the 3 of the per cent.
# Hurts whoever turns amounts of Korean news into numbers with it, to score figures or to build questions about them: amount and currency are there, and the amount is ten thousand to a trillion times too small.
# Instead: read 조, 억 and 만 with an expression of your own, and give price-parser amounts in plain digits alone.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check price-parser==0.5.1 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from decimal import Decimal
from importlib.metadata import version

from price_parser import Price

# text: the amount that a reader understands, the one that is returned, both in won
CASES = {
    "2조500억원": (2_050_000_000_000, "2"),
    "영업이익 312억 원": (31_200_000_000, "312"),
    "1,234만원": (12_340_000, "1234"),
    "1만 2천원": (12_000, "1"),
    "3.5% 오른 7만2,300원": (72_300, "3"),
    "72,300원": (72_300, "72300"),
}

print("price-parser", version("price-parser"))
described = True
for text, (meant, expected) in CASES.items():
    got = Price.fromstring(text)
    print(f"{text}: meant {meant:,} 원, read {got.amount} {got.currency}")
    described = described and got.amount == Decimal(expected) and got.currency == "원"
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
