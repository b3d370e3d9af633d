"""A tiny random checkpoint with the layout and the quirks of NCSOFT/Llama-VARCO-8B-Instruct, and the real Llama 3 tokenizer."""

import json
from functools import cache
from pathlib import Path

import llama_models.llama3.tokenizer as llama3
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import TikTokenConverter

LLAMA3_CONTROL_TOKENS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|step_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
    "<|image|>",
    *[f"<|reserved_special_token_{number}|>" for number in range(2, 246)],
]
# VARCO's template appends the answer's header whether or not it is asked for.
VARCO_TEMPLATE = (
    "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)


@cache
def llama3_tokenizer() -> PreTrainedTokenizerFast:
    """The Llama 3 tokenizer, converted from the tiktoken file that llama-models ships (about 3 s)."""
    converter = TikTokenConverter(str(Path(llama3.__file__).with_name("tokenizer.model")), extra_special_tokens=LLAMA3_CONTROL_TOKENS)
    return PreTrainedTokenizerFast(
        tokenizer_object=converter.converted(),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        chat_template=VARCO_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


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
    tokenizer = llama3_tokenizer()
    tokenizer.save_pretrained(folder)
    settings = folder / "tokenizer_config.json"
    held = json.loads(settings.read_text(encoding="utf-8")) | {"pad_token": "!", "chat_template": VARCO_TEMPLATE}
    settings.write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")
    return folder
