#!/usr/bin/env bash
# markdown-it-py 4.3.0, mistune 3.4.0, commonmark 0.9.2, marked 18.2.1 (npm): a line such as "[전망]: 상승" or "[목표가]: 75,000원" is a link definition and renders to nothing; a later [가온은행] becomes a link to 상승. A value with a space or a line below prose stays.
# Of two ranges (3~4% ... 5~6%) marked strikes out what lies between the tildes, the others do not; **해담전자(012345)**은 stays with its asterisks in all four.
# Hurts whoever shows model answers or news in a chat page: labels with one-word values vanish while the sentences around them stay, so the model seems to have left them out, and figures look withdrawn.
# Instead: escape \ ` * _ ~ [ ] before rendering, or show answers as plain text; judge answers by their raw text.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check markdown-it-py==4.3.0 mistune==3.4.0 commonmark==0.9.2 || exit 2
npm install --silent --no-audit --no-fund marked@18.2.1 >/dev/null || exit 2
cat >marked.mjs <<'JS'
import { readFileSync } from "node:fs";
import { marked } from "marked";

const texts = JSON.parse(readFileSync("texts.json", "utf8"));
console.log(JSON.stringify(texts.map((text) => marked.parse(text))));
JS
cat >check.py <<'PYTHON'
import json
import re
import subprocess
from importlib.metadata import version
from pathlib import Path

import commonmark
import mistune
from markdown_it import MarkdownIt

TEXTS = {
    "labels": "[전망]: 상승\n[목표가]: 75,000원",
    "mixed": "[종목]: 가온은행\n[근거]: 영업이익이 크게 늘었다.",
    "list": "- [긍정]: 해담전자\n- [부정]: 가온은행",
    "link": "[가온은행]: 상승\n\n어제 [가온은행]은 올랐다.",
    "below": "전망은 이렇다.\n[전망]: 상승",
    "ranges": "매출은 3~4%, 이익은 5~6% 늘었다.",
    "bold": "**해담전자(012345)**은 올랐다.",
}
escaped = {name: re.sub(r"([\\`*_~\[\]])", r"\\\1", text) for name, text in TEXTS.items()}
Path("texts.json").write_text(json.dumps([*TEXTS.values(), *escaped.values()], ensure_ascii=False), encoding="utf-8")
browser = json.loads(subprocess.run(["node", "marked.mjs"], check=True, capture_output=True, text=True, encoding="utf-8").stdout)
renderers = {"markdown-it-py": MarkdownIt("gfm-like", {"linkify": False}).render, "mistune": mistune.html, "commonmark": commonmark.commonmark}
pages = {name: [render(text) for text in [*TEXTS.values(), *escaped.values()]] for name, render in renderers.items()} | {"marked": browser}


def shown(html):
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


print(*(f"{name} {version(name)}" for name in renderers), "marked", json.loads(Path("node_modules/marked/package.json").read_text())["version"])
described = True
for name, page in pages.items():
    html = dict(zip(TEXTS, page, strict=False))
    safe = dict(zip(TEXTS, page[len(TEXTS) :], strict=True))
    print(name, *(f"    {TEXTS[case]!r} -> {html[case].strip()!r}" for case in TEXTS), sep="\n")
    described &= (
        (html["labels"], shown(html["mixed"]), shown(html["list"])) == ("", "[근거]: 영업이익이 크게 늘었다.", "")
        and '<a href="%EC%83%81%EC%8A%B9">가온은행</a>은' in html["link"]
        and shown(html["below"]) == shown(TEXTS["below"])
        and ("3<del>4%, 이익은 5</del>6%" in html["ranges"]) == ("<del>" in html["ranges"]) == (name == "marked")
        and shown(html["bold"]) == TEXTS["bold"] and "<strong>" not in html["bold"]
        and all(shown(safe[case]) == shown(TEXTS[case]) for case in ("labels", "mixed", "link", "below", "ranges", "bold"))
    )
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
venv/bin/python check.py
