"""A model as GGUF, for llama.cpp and what builds on it, written with the package `gguf` and proved on every row, the adapter alone aside, before it is kept.

python -m newsft.publish.gguf --output FILE.gguf                the miniature with its adapter merged in
python -m newsft.publish.gguf --output FILE.gguf --side base    the base model alone
python -m newsft.publish.gguf --output FILE.gguf --side lora    the adapter alone, for a server that has the base
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from tokenizers import Regex, Tokenizer, pre_tokenizers

from newsft import recipe
from newsft.data.messages import row_messages
from newsft.data.rows import load_rows
from newsft.errors import UserError, command, list_rows
from newsft.models.load import ADAPTER, Loaded, add_adapter, load_base, stop_ids

SIDES = ("tuned", "base", "lora")
# What llama.cpp does under the name llama-bpe (src/llama-vocab.cpp): Llama 3's pattern, and a word that is a token needs no merges.
PRE_TOKENIZER = "llama-bpe"
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LAYER = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
OUTER = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
Tensors = Iterator[tuple[str, torch.Tensor]]


def write_gguf(loaded: Loaded, output: Path, *, side: str, rows: list[dict]) -> None:
    """Write the GGUF of one side of `loaded` (base and adapter) to `output`, in fp32.

    Raises UserError where the package is missing, for what is no Llama, and where llama.cpp would cut one of the `rows` otherwise than the training.
    """
    package, config = _package(), loaded.model.config
    if config.model_type != "llama":
        raise UserError(
            f"{loaded.source} is a {config.model_type} model; this writes a GGUF of Llama models alone. Use llama.cpp's own converter."
        )
    if side != "lora":
        check_ids(loaded, rows)
    writer = package.GGUFWriter(str(output), "llama")
    writer.add_file_type(int(package.LlamaFileType.ALL_F32))
    if side == "lora":
        _describe_lora(package, writer, loaded)
        tensors = _lora_tensors(loaded)
    else:
        _describe_model(writer, config)
        _describe_tokenizer(package, writer, loaded)
        model = loaded.model.merge_and_unload(safe_merge=True) if side == "tuned" else loaded.model.unload()
        tensors = _model_tensors(model)
    for name, tensor in tensors:
        writer.add_tensor(name, tensor.detach().to("cpu", torch.float32).contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_ids(loaded: Loaded, rows: list[dict]) -> None:
    """Raise UserError where the GGUF's tokenizer gives a row's text other ids than this project's encoding, which the training used."""
    ours = loaded.chat.encode_rows([row_messages(row) for row in rows])
    theirs = _as_llama_cpp(loaded.chat.tokenizer).encode_batch([row.text for row in ours], add_special_tokens=False)
    wrong = [number for number, (row, found) in enumerate(zip(ours, theirs, strict=True)) if row.input_ids != found.ids]
    if wrong:
        raise UserError(
            f"llama.cpp would cut {len(wrong)} of {len(rows)} rows into other tokens than the training did (rows {list_rows(wrong)}); no GGUF is written. Serve the model with vLLM instead."
        )


def _package() -> ModuleType:
    try:
        import gguf
    except ImportError as error:
        raise UserError(
            "A GGUF is written with the package gguf, which is not installed; install it with: pip install gguf==0.19.0"
        ) from error
    return gguf


def _as_llama_cpp(tokenizer: object) -> Tokenizer:
    """The tokenizer as llama.cpp reads it from a GGUF: vocabulary and merges are the model's, the cutting into words is llama-bpe's."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["model"]["ignore_merges"], state["post_processor"], state["truncation"], state["padding"] = (
        True,
        None,
        None,
        None,
    )
    found = Tokenizer.from_str(json.dumps(state))
    found.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return found


def _describe_model(writer: object, config: object) -> None:
    heads = config.num_attention_heads
    rope = getattr(config, "rope_parameters", None) or {}
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope.get("rope_theta", 10_000.0))
    writer.add_rope_dimension_count(config.head_dim or config.hidden_size // heads)
    writer.add_vocab_size(config.vocab_size)


def _describe_tokenizer(package: ModuleType, writer: object, loaded: Loaded) -> None:
    tokenizer, size = loaded.chat.tokenizer, loaded.model.config.vocab_size
    names = {number: name for name, number in tokenizer.get_vocab().items()}
    control = {
        number: token.special and number in loaded.chat.control_ids
        for number, token in tokenizer.added_tokens_decoder.items()
    }
    kinds = package.TokenType
    types = [
        kinds.UNUSED
        if number not in names
        else kinds.NORMAL
        if number not in control
        else kinds.CONTROL
        if control[number]
        else kinds.USER_DEFINED
        for number in range(size)
    ]
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    ends = stop_ids(loaded.chat, loaded.model)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list([names.get(number, f"[PAD{number}]") for number in range(size)])
    writer.add_token_types([int(kind) for kind in types])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_bos_token_id(tokenizer.bos_token_id)
    writer.add_eos_token_id(
        loaded.chat.end_id
    )  # the token that the training ends an answer with, whatever the config says
    writer.add_eot_token_id(loaded.chat.end_id)
    if (more := [token for token in ends if token != loaded.chat.end_id]) and hasattr(writer, "add_eom_token_id"):
        writer.add_eom_token_id(more[0])
    writer.add_pad_token_id(loaded.chat.pad_id)
    writer.add_add_bos_token(False)  # the chat template writes it
    writer.add_chat_template(loaded.chat.template)


def _describe_lora(package: ModuleType, writer: object, loaded: Loaded) -> None:
    # llama.cpp scales by alpha / rank, in every layer by the same alpha; PEFT has other ways too (rsLoRA, patterns of ranks and alphas).
    alphas = {
        module.scaling[ADAPTER] * module.lora_A[ADAPTER].weight.shape[0]
        for module in loaded.model.modules()
        if hasattr(module, "lora_A") and ADAPTER in module.lora_A
    }
    if len({round(alpha, 6) for alpha in alphas}) > 1:
        raise UserError(
            "The adapter scales its layers differently, which llama.cpp cannot; write the merged model instead (without --side)."
        )
    writer.add_type("adapter")
    writer.add_string(package.Keys.Adapter.TYPE, "lora")
    writer.add_float32(package.Keys.Adapter.LORA_ALPHA, float(alphas.pop()))


def _order_of_heads(config: object) -> Callable[[str, torch.Tensor], torch.Tensor]:
    """llama.cpp turns neighbouring pairs of a head's dimensions, transformers the two halves: rows of queries and keys change places."""

    def put(name: str, weight: torch.Tensor) -> torch.Tensor:
        if ".attn_q" not in name and ".attn_k" not in name:
            return weight
        heads = config.num_attention_heads if ".attn_q" in name else config.num_key_value_heads
        return (
            weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:])
            .swapaxes(1, 2)
            .reshape(weight.shape)
        )

    return put


def _model_tensors(model: torch.nn.Module) -> Tensors:
    put = _order_of_heads(model.config)
    if (factors := _rope_factors(model.config)) is not None:
        yield "rope_freqs.weight", torch.from_numpy(factors)
    for name, tensor in model.state_dict().items():
        if name in OUTER:
            yield OUTER[name], tensor
        elif name.startswith("model.layers."):
            number, _, rest = name.removeprefix("model.layers.").partition(".")
            target = f"blk.{number}.{LAYER[rest.removesuffix('.weight')]}.weight"
            yield target, put(target, tensor)


def _lora_tensors(loaded: Loaded) -> Tensors:
    put = _order_of_heads(loaded.model.config)
    for name, module in loaded.model.base_model.model.named_modules():
        if not hasattr(module, "lora_A"):
            continue
        number, _, rest = name.removeprefix("model.layers.").partition(".")
        target = f"blk.{number}.{LAYER[rest]}.weight"
        yield f"{target}.lora_a", module.lora_A["default"].weight  # (r, in)
        yield f"{target}.lora_b", put(target, module.lora_B["default"].weight)  # (out, r)


def _rope_factors(config: object) -> np.ndarray | None:
    """Llama 3.1's slower turning of the long wavelengths, by which llama.cpp divides the frequencies, (head_dim / 2,); None for models without it."""
    rope = getattr(config, "rope_parameters", None) or {}
    if rope.get("rope_type") in (None, "default"):
        return None
    if rope["rope_type"] != "llama3":
        raise UserError(
            f"The model's rope type {rope['rope_type']} is not written here; use llama.cpp's own converter."
        )
    size, low, high, factor, old = (
        config.head_dim,
        rope["low_freq_factor"],
        rope["high_freq_factor"],
        rope["factor"],
        rope["original_max_position_embeddings"],
    )
    waves = 2 * math.pi * rope["rope_theta"] ** (np.arange(0, size, 2) / size)
    smooth = (old / waves - low) / (high - low)
    between = 1 / ((1 - smooth) / factor + smooth)
    return np.where(waves < old / high, 1.0, np.where(waves > old / low, factor, between)).astype(np.float32)


def parse_flags() -> argparse.Namespace:
    """Base, adapter, which of them, and where the file goes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser, only=("model", "adapter", "data"))
    parser.add_argument("--output", type=Path, required=True, help="new file for the GGUF")
    parser.add_argument(
        "--side",
        choices=SIDES,
        default="tuned",
        help="tuned: the adapter merged into its base; base: without it; lora: the adapter alone (tuned)",
    )
    return parser.parse_args()


@command()
def main() -> None:
    """Load, prove, write."""
    arguments = parse_flags()
    chosen = recipe.from_flags(arguments)
    if arguments.output.exists():
        raise UserError(f"{arguments.output} exists; give another file with --output.")
    rows = load_rows(chosen.data)
    write_gguf(
        add_adapter(load_base(chosen.model, on_cpu=True), chosen.adapter),
        arguments.output,
        side=arguments.side,
        rows=rows,
    )
    proved = "" if arguments.side == "lora" else f"; llama.cpp's cutting gives all {len(rows)} rows the training's ids"
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:,.1f} MB{proved}")


if __name__ == "__main__":
    sys.exit(main())
