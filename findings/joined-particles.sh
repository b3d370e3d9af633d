#!/usr/bin/env bash
# kiwipiepy 0.24.1: join(tokenize(text)) writes another text: "GM은 밝혔다" becomes "GM는 밝혔다", "3M이" "3M가", "되어 있다" "돼 있다", "실시하였다" "실시했다".
# Hurts whoever masks or swaps names on morphemes and joins the rest again: training rows get wrong particles after Latin names, and quotations are no longer verbatim.
# Instead: cut the original with each token's start and end and change only those stretches.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check kiwipiepy==0.24.1 kiwipiepy_model==0.24.0 numpy==2.4.6 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import re
from importlib.metadata import version

from kiwipiepy import Kiwi

EXPECTED = {
    "GM은 밝혔다": "GM는 밝혔다",
    "3M이 밝혔다": "3M가 밝혔다",
    "비중이 되어 있다": "비중이 돼 있다",
    "회사는 배당을 실시하였다": "회사는 배당을 실시했다",
    "한은이 금리를 0.25%p 올렸다": "한은이 금리를 0.25%p 올렸다",
}


def mask_latin(text, tokens):
    """The text with every Latin name as a circle, cut by the tokens' places: the rest stays as it was."""
    for token in reversed(tokens):
        if token.tag == "SL":
            text = text[: token.start] + "○" + text[token.end :]
    return text


kiwi = Kiwi()
print("kiwipiepy", version("kiwipiepy"))
described = True
for text, expected in EXPECTED.items():
    tokens = kiwi.tokenize(text)
    got = kiwi.join(tokens)
    masked = mask_latin(text, tokens)
    print(f"{text!r}: {got!r}, masked by places {masked!r}")
    described &= got == expected and masked == re.sub("[A-Za-z]+", "○", text)
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
