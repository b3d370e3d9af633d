#!/usr/bin/env bash
# trackio 0.43.0: projects are one where only the signs between letters and digits tell their names apart: "rate 1.5e-3" and "rate 15e-3" share a database, and each lists the other's runs as its own.
# Hurts whoever names projects by a setting or a version (1.5e-3, v1.1, "뉴스(1차)"): with `resume="allow"` the second project goes on with the first one's run, and its points stand in the first one's curve. No warning, also where such names are checked for other collisions.
# Instead: name projects by letters, digits, "-" and "_" alone, and put the setting into the run's name, which is kept as it is.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check trackio==0.43.0 || exit 2
TRACKIO_DIR="$folder/store" HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
import json
import os
import sqlite3
from importlib.metadata import version
from pathlib import Path

import trackio

PROJECTS = [("rate 1.5e-3", 10, 0.5), ("rate 15e-3", 20, 0.9), ("rate_15e-3", 30, 0.7)]
with contextlib.redirect_stdout(io.StringIO()):
    for project, step, loss in PROJECTS:
        trackio.init(project=project, name="r 8, alpha 1.5", resume="allow", auto_log_cpu=False)
        trackio.log({"loss": loss}, step=step)
        trackio.finish()
    runs = {project: [run.name for run in trackio.Api().runs(project)] for project, *_ in PROJECTS}
print("trackio", version("trackio"))
stored = {}
for path in sorted(Path(os.environ["TRACKIO_DIR"]).glob("*.db")):
    rows = sqlite3.connect(path).execute("select run_name, step, metrics from metrics order by step").fetchall()
    stored[path.stem] = [(name, step, json.loads(metrics)["loss"]) for name, step, metrics in rows]
    print(f"{path.name}: {stored[path.stem]}")
print("runs by project:", runs)
NAME = "r 8, alpha 1.5"
described = stored == {"rate15e-3": [(NAME, 10, 0.5), (NAME, 20, 0.9)], "rate_15e-3": [(NAME, 30, 0.7)]}
described = described and all(found == [NAME] for found in runs.values())
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
