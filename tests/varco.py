"""A tiny random checkpoint with the layout and the quirks of NCSOFT/Llama-VARCO-8B-Instruct, and the real Llama 3 tokenizer."""

import json
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from newsft import llama3


def write_varco_checkpoint(folder: Path, *, seed: int = 0) -> Path:
    """Four safetensors shards with an index, stop id 128001 in the config, pad id 0, the template with the trailing header."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=128_256,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        rope_theta=500_000.0,
        bos_token_id=128_000,
        eos_token_id=128_001,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder, max_shard_size="50KB")
    (folder / "generation_config.json").unlink()
    tokenizer = llama3.load_tokenizer()
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    held = json.loads(settings.read_text(encoding="utf-8")) | {"pad_token": "!", "chat_template": llama3.VARCO_TEMPLATE}
    settings.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")
    return folder
