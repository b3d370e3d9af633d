"""How every benchmark reports: its figures one per line, the machine and the versions with them, and the same as one JSON line."""

import json
import platform
from importlib.metadata import version

import torch

PACKAGES = ("torch", "transformers", "tokenizers", "trl", "peft", "gradio")


def print_result(figures: dict) -> None:
    """Print the figures for reading and, last, as JSON."""
    result = figures | {
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "versions": {name: version(name) for name in PACKAGES},
    }
    for key, value in result.items():
        print(f"{key:24} {value}")
    print(json.dumps(result))
