"""A tiny random checkpoint with the layout and the quirks of NCSOFT/Llama-VARCO-8B-Instruct, and the real Llama 3 tokenizer."""

from pathlib import Path

import torch

from benchmarks.varco8b import write_checkpoint


def write_varco_checkpoint(folder: Path, *, hidden: int = 32, seed: int = 0) -> Path:
    """As the 8B one that the benchmarks write, in four shards of kilobytes and in fp32."""
    return write_checkpoint(folder, hidden=hidden, layers=2, heads=4, shard="100KB", dtype=torch.float32, seed=seed)
