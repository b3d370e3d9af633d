"""A random Llama of a few thousand parameters and a few short rows: for tests of what surrounds the training, in seconds."""

import json
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from newsft.paths import ASSETS


def write_model(folder: Path, *, hidden: int = 16, layers: int = 2, seed: int = 0) -> Path:
    """A base model with the miniature's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(ASSETS / "mini")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_rows(count: int) -> list[dict]:
    """Rows of different length, each of its own news."""
    return [
        {
            "system_prompt": "기사를 요약하라.",
            "user_prompt": f"가람테크 {number}호 공장 소식. " + "주가가 올랐다. " * (number % 5),
            "assistant": f"{{'is_stock_related': True, 'summary': '{number}호 공장'}}",
        }
        for number in range(count)
    ]


def write_rows(path: Path, rows: list[dict]) -> Path:
    """The rows as JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def flags(model: Path, rows: Path, output: Path, *, steps: int = 8) -> list[str]:
    """train.py's flags for a run of several epochs with a checkpoint every second step and an evaluation every third."""
    settings = {
        "model": model,
        "data": rows,
        "output": output,
        "max-steps": steps,
        "save-every": 2,
        "eval-every": 3,
        "eval-rows": 2,
        "log-every": 1,
        "max-length": 256,
        "learning-rate": 0.01,
    }
    return [text for name, value in settings.items() for text in (f"--{name}", str(value))]
