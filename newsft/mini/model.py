"""The untrained miniature: a Llama whose weights begin with the one circuit that a small model needs longest to find.

Copying what stood behind the last occurrence of a token ("induction", Olsson et al. 2022, https://arxiv.org/abs/2209.11895)
takes two heads: one in the first layer that brings along the previous token, one in the second that looks for the current
token among those. From random weights no such pair had formed after 5 M tokens of this stream; every name of a company is
copied by it. So the weights begin there, as mimetic initialisation does (Trockman & Kolter 2023, https://arxiv.org/abs/2305.09828),
and are trained like all others.

The residual stream begins as [constant | identity | copied | previous]: a number equal for all tokens, a random vector per
token, what the second head found, and the token before.
"""

from pathlib import Path

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

HEAD = 64
MATRIX_STD = 0.03
CONSTANT = 4.0
FAST = 8  # pairs of the rotary embedding that turn fast enough to tell neighbours apart
STILL = 12  # pairs from here on hardly turn within an article: the second head compares tokens in them
PREVIOUS_GAIN, MATCH_GAIN, COPY_GAIN = 1.3, 1.2, 0.2


def build_model(tokenizer: PreTrainedTokenizerBase, *, layers: int = 4, width: int = 256) -> LlamaForCausalLM:
    """An untrained Llama of Llama 3's layout in small: its head, its rotary base, no tied embeddings."""
    end_of_turn = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=width // HEAD,
        num_key_value_heads=width // HEAD,
        max_position_embeddings=4096,
        rope_theta=500_000.0,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=end_of_turn,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    for name, weight in model.named_parameters():
        if any(part in name for part in ("embed_tokens", "o_proj", "down_proj", "lm_head")):
            torch.nn.init.zeros_(weight)
        elif weight.ndim == 2:
            torch.nn.init.normal_(weight, std=MATRIX_STD)
    _write_copying(model)
    model.generation_config = GenerationConfig(
        do_sample=False, bos_token_id=config.bos_token_id, eos_token_id=end_of_turn, pad_token_id=config.pad_token_id
    )
    return model


def grow_model(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, *, layers: int) -> LlamaForCausalLM:
    """The same model with more layers: the new ones stand before the last and add nothing until they are trained."""
    old, grown = model.model.layers, build_model(tokenizer, layers=layers, width=model.config.hidden_size)
    last = len(old) - 1
    for number, layer in enumerate(old):
        grown.model.layers[number if number < last else layers - 1].load_state_dict(layer.state_dict())
    for new in grown.model.layers[last:-1]:
        torch.nn.init.zeros_(new.self_attn.o_proj.weight)
        torch.nn.init.zeros_(new.mlp.down_proj.weight)
    for name in ("embed_tokens", "norm"):
        getattr(grown.model, name).load_state_dict(getattr(model.model, name).state_dict())
    grown.lm_head.load_state_dict(model.lm_head.state_dict())
    return grown.to(model.device)


@torch.no_grad()
def widen_vocabulary(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase) -> LlamaForCausalLM:
    """The same model for a tokenizer with more tokens: a new token's embedding is a random vector of the usual length, its row of the head zero."""
    old = model.config.vocab_size
    if len(tokenizer) == old:
        return model
    length = model.model.embed_tokens.weight[:, 1:].std()
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    fresh = model.model.embed_tokens.weight[old:]
    torch.nn.init.normal_(fresh, std=length.item())
    fresh[:, 0] = model.model.embed_tokens.weight[:old, 0].mean()
    torch.nn.init.zeros_(model.lm_head.weight[old:])
    return model


@torch.no_grad()
def _write_copying(model: LlamaForCausalLM) -> None:
    width = model.config.hidden_size
    identity, copied, previous = (
        slice(1, width - 2 * HEAD),
        slice(width - 2 * HEAD, width - HEAD),
        slice(width - HEAD, width),
    )
    told = slice(1, 1 + HEAD)  # the part of the identity that the two heads carry
    one = torch.eye(HEAD)
    embeddings, head = model.model.embed_tokens.weight, model.lm_head.weight
    torch.nn.init.normal_(embeddings[:, identity])
    embeddings[:, 0] = CONSTANT
    head[:, copied] = COPY_GAIN * embeddings[:, told]

    first, second = (layer.self_attn for layer in model.model.layers[:2])
    for attention, target in ((first, previous), (second, copied)):
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj):
            projection.weight[:HEAD] = 0
        attention.v_proj.weight[:HEAD, told] = one
        attention.o_proj.weight[target, :HEAD] = one
    # Query and key of the first head are constants, the query turned back by one position: they agree best one token apart.
    half = HEAD // 2
    angle = model.config.rope_parameters["rope_theta"] ** (-torch.arange(FAST) / half)
    first.q_proj.weight[:FAST, 0] = PREVIOUS_GAIN * angle.cos()
    first.q_proj.weight[half : half + FAST, 0] = -PREVIOUS_GAIN * angle.sin()
    first.k_proj.weight[:FAST, 0] = PREVIOUS_GAIN
    # The second head asks with this token for the places whose previous token is the same.
    slots = [*range(STILL, half), *range(half + STILL, HEAD)]
    for number, slot in enumerate(slots):
        second.q_proj.weight[slot, told.start + number] = MATCH_GAIN
        second.k_proj.weight[slot, previous.start + number] = MATCH_GAIN


def add_dropout(model: LlamaForCausalLM, share: float) -> None:
    """Dropout of what attention and MLP add to the residual stream, in training alone; Llama has none of its own there."""

    def drop(module: torch.nn.Module, _: object, added: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.dropout(added, share, module.training)

    for layer in model.model.layers:
        layer.self_attn.o_proj.register_forward_hook(drop)
        layer.mlp.down_proj.register_forward_hook(drop)


def write_model(output: Path, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase) -> None:
    """The weights in shards that a repository holds without large file storage, beside the tokenizer."""
    model.save_pretrained(output, max_shard_size="8MB")
    if output.resolve() != Path(tokenizer.name_or_path).resolve():
        tokenizer.save_pretrained(output)
    for shard in output.glob("*.safetensors"):
        shard.chmod(0o644)  # written with 0600, which a server under another user cannot read
