#!/usr/bin/env bash
# What benchmarks/gpu.py measures on one GPU, in nine minutes at most; with --short its rehearsal on a CPU. docs/gpu.md says what comes of it.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
[ -x "$python" ] || python=python3
export HF_HUB_OFFLINE=1
exec "$python" -m benchmarks.gpu "$@"
