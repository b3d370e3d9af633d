#!/usr/bin/env bash
# @huggingface/jinja 0.5.11 (npm) beside jinja2 3.1.6: one chat template, two prompts: a dict prints as {"상장": true, "등락": null} for {'상장': True, '등락': None}, strip('"') strips nothing, '1' == 1 holds.
# Hurts whoever previews or serves in the browser a model that was trained in Python: no error, and other tokens than those that were trained.
# Instead: hand the template finished strings (write values out before it), use no method arguments in it, and compare both renderings once.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check jinja2==3.1.6 || exit 2
npm install --silent --no-audit --no-fund @huggingface/jinja@0.5.11 >/dev/null || exit 2
cat >cases.json <<'JSON'
{
  "dict": ["{{ answer }}", "{'상장': True, '등락': None}", "{\"상장\": true, \"등락\": null}"],
  "none": ["{{ answer['등락'] }}", "None", ""],
  "strip": ["{{ quote.strip('\"') }}", "동결", "\"동결\""],
  "equal": ["{% if turn == '1' %}first{% else %}later{% endif %}", "later", "first"],
  "remainder": ["{{ -1 % 2 }}", "1", "-1"],
  "finished": ["{{ text }}", "{'상장': True}", "{'상장': True}"]
}
JSON
cat >values.json <<'JSON'
{"answer": {"상장": true, "등락": null}, "quote": "\"동결\"", "turn": 1, "text": "{'상장': True}"}
JSON
cat >browser.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";

const [cases, values] = ["cases.json", "values.json"].map((name) => JSON.parse(readFileSync(name, "utf8")));
const rendered = Object.entries(cases).map(([name, [template]]) => [name, new Template(template).render(values)]);
console.log(JSON.stringify(Object.fromEntries(rendered)));
JS
node browser.mjs >browser.json
venv/bin/python - <<'PYTHON'
import json
from importlib.metadata import version
from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment

cases, values, browser, package = (json.loads(Path(name).read_text(encoding="utf-8")) for name in ("cases.json", "values.json", "browser.json", "node_modules/@huggingface/jinja/package.json"))
environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)  # as transformers renders chat templates
print("jinja2", version("jinja2"), "@huggingface/jinja", package["version"])
described = True
for name, (template, in_python, in_browser) in cases.items():
    got = environment.from_string(template).render(values)
    print(f"{name:9} {template}: Python {got!r}, browser {browser[name]!r}")
    described &= got == in_python and browser[name] == in_browser
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
