"""How every benchmark reports: its figures one per line, the machine and the versions with them, and the same as one JSON line."""

import contextlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

PACKAGES = ("torch", "transformers", "tokenizers", "trl", "peft", "gradio")


def list_versions() -> dict[str, str]:
    """Of the packages that are installed: a machine that only trains has no Gradio."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def print_result(figures: dict) -> None:
    """Print the figures for reading and, last, as JSON."""
    result = figures | {
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "versions": list_versions(),
    }
    for key, value in result.items():
        print(f"{key:24} {value}")
    print(json.dumps(result))
