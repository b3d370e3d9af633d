#!/usr/bin/env bash
# safetensors 0.8.0: with two or more entries of metadata, the same tensors saved twice make files of different bytes: the entries come in a random order, anew in every process.
# Hurts whoever compares runs, caches or shards by a file's hash: two trainings that agree bit for bit seem to differ, though a file with one entry (transformers and peft write `format` alone) does not.
# Instead: compare tensors and metadata, or put what is to be said into one entry, as JSON.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6 || exit 2
cat > "$folder/save.py" <<'PYTHON'
import hashlib
import sys

import numpy
from safetensors.numpy import load, save

entries = {str(number): "text" for number in range(int(sys.argv[1]))}
data = save({"weight": numpy.arange(4, dtype="float32")}, metadata=entries)
assert load(data)["weight"].tolist() == [0, 1, 2, 3]
print(hashlib.sha256(data).hexdigest())
PYTHON
echo "safetensors 0.8.0, ten processes each"
declare -A different
for entries in 1 6; do
    different[$entries]=$(for _ in 1 2 3 4 5 6 7 8 9 10; do "$folder/venv/bin/python" "$folder/save.py" "$entries"; done | sort -u | wc -l)
    echo "$entries metadata entries: ${different[$entries]} different files"
done
if [ "${different[1]}" = 1 ] && [ "${different[6]}" -gt 1 ]; then echo "as described"; else echo "NO LONGER AS DESCRIBED"; exit 1; fi
