"""What tells one data set, model, adapter or chat template from another of the same shape: the first 16 hex digits of a SHA-256."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

# PEFT keeps them as sets and writes them in the order of their hashes, another one in every process.
ADAPTER_SETS = ("target_modules", "exclude_modules")
SAMPLES, SAMPLE_BYTES = 16, 65_536  # of each weights file, for the fingerprint: 16 GB would take minutes to hash


def fingerprint_rows(rows: Sequence[dict]) -> str:
    """The first 16 hex digits of the SHA-256 of the rows' columns: the same rows in the same order, whatever the file."""
    digest = hashlib.sha256()
    for row in rows:
        columns = [row["system_prompt"], row["user_prompt"], str(row["assistant"]), *row.get("earlier", ())]
        digest.update(json.dumps(columns, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]


def fingerprint_model(folder: Path, *, config: str = "config.json") -> str:
    """16 hex digits that tell one model or adapter from another of the same shape: config, tokenizer and samples of every weights file."""
    digest = hashlib.sha256()
    for name, read in ((config, _read_config), ("tokenizer.json", Path.read_bytes)):
        path = folder / name
        digest.update(read(path) if path.exists() else b"")
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name}:{size}".encode())
        with path.open("rb") as file:
            for number in range(SAMPLES):
                file.seek(number * max(size - SAMPLE_BYTES, 0) // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def fingerprint_template(template: str) -> str:
    """16 hex digits of the chat template, which `fingerprint_model` leaves out: it lies in one of several files."""
    return hashlib.sha256(str(template).encode()).hexdigest()[:16]


def _read_config(path: Path) -> bytes:
    """The file as it is, but for the order of what is a set: that as sorted and written by PEFT."""
    config = json.loads(path.read_bytes())
    lists = {name: config[name] for name in ADAPTER_SETS if isinstance(config.get(name), list)}
    ordered = {name: sorted(held) for name, held in lists.items()}
    return path.read_bytes() if ordered == lists else json.dumps(config | ordered, indent=2, sort_keys=True).encode()
