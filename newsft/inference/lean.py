"""A small Llama's decoding pass in fewer and larger operations.

On a CPU a pass for a few tokens of a small model costs what its operations cost beside their arithmetic. Here one matrix product gives queries,
keys and values, one the two halves of the MLP, and one pair the LoRA shares of each; the arithmetic is that of transformers' LlamaForCausalLM.
"""

import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm, repeat_kv

from newsft.compat import attention_of
from newsft.inference.adapter_switch import Rows
from newsft.inference.kv_cache import KVCache
from newsft.models.load import ADAPTER

MOST_PARAMETERS = 100_000_000  # the joined matrices are copies; and in a larger model the arithmetic counts


class LeanLlama:
    """The decoding passes of a Llama whose `fits` is true, with the weights that it has now."""

    def __init__(self, model: LlamaForCausalLM):
        self.embedding, self.rotary, self.head = model.model.embed_tokens, model.model.rotary_emb, model.lm_head
        self.layers = [_LeanLayer(layer) for layer in model.model.layers]
        self.norm = model.model.norm

    @staticmethod
    def fits(model: nn.Module) -> bool:
        """Whether it is a small Llama in fp32 on a CPU, of plain linear layers with at most a plain LoRA on them."""
        if type(model) is not LlamaForCausalLM or model.device.type != "cpu" or model.dtype != torch.float32 or model.num_parameters() > MOST_PARAMETERS:
            return False
        linear = [module for layer in model.model.layers for group in _groups(layer) for module in group]
        return all(map(_is_plain, linear)) and model.config.hidden_act == "silu" and attention_of(model.config) == "sdpa"

    @torch.inference_mode()
    def __call__(self, ids: torch.Tensor, cache: KVCache, *, positions: torch.Tensor, mask: torch.Tensor | None, rows: Rows) -> torch.Tensor:
        """Run `ids` (rows, width) in the step that the cache has begun; logits, (rows, width, vocabulary)."""
        hidden = self.embedding(ids)
        cos, sin = self.rotary(hidden, positions)
        half = sin.shape[-1] // 2
        turn = cos[:, :, None], torch.cat((-sin[..., :half], sin[..., half:]), dim=-1)[:, :, None]
        for layer, slots in zip(self.layers, cache.layers, strict=True):
            hidden = layer(hidden, slots.update, turn=turn, mask=mask, tuned=rows.tuned)
        return self.head(_rms_norm(hidden, self.norm))


class _LeanLayer:
    def __init__(self, layer: nn.Module):
        attention = layer.self_attn
        self.norms = layer.input_layernorm, layer.post_attention_layernorm
        self.size, self.groups, self.scaling = attention.head_dim, attention.num_key_value_groups, attention.scaling
        self.project, self.leave, self.widen, self.narrow = map(_Joined, _groups(layer))
        self.keys = _base(attention.k_proj).out_features
        self.turned = _base(attention.q_proj).out_features + self.keys

    def __call__(self, hidden: torch.Tensor, update, *, turn: tuple[torch.Tensor, torch.Tensor], mask: torch.Tensor | None, tuned) -> torch.Tensor:
        rows, width, _ = hidden.shape
        before_attention, before_mlp = self.norms
        projected = self.project(_rms_norm(hidden, before_attention), tuned)
        turned = projected[..., : self.turned].view(rows, width, -1, self.size)
        cos, sin = turn
        turned = torch.addcmul(turned * cos, turned.roll(self.size // 2, -1), sin).transpose(1, 2)
        values = projected[..., self.turned :].view(rows, width, -1, self.size).transpose(1, 2)
        first_key = turned.shape[1] - values.shape[1]
        keys, values = update(turned[:, first_key:], values)
        seen = functional.scaled_dot_product_attention(turned[:, :first_key], repeat_kv(keys, self.groups), repeat_kv(values, self.groups), attn_mask=mask, scale=self.scaling)
        hidden = self.leave(seen.transpose(1, 2).reshape(rows, width, -1), tuned).add_(hidden)
        gate, up = self.widen(_rms_norm(hidden, before_mlp), tuned).chunk(2, dim=-1)
        return self.narrow(functional.silu(gate).mul_(up), tuned).add_(hidden)


class _Joined:
    """Linear layers with the same input as one, and their LoRA shares as one more."""

    def __init__(self, modules: list[nn.Module]):
        layers = [_base(module) for module in modules]
        self.weight = torch.cat([layer.weight for layer in layers]).T.contiguous().detach()  # (inputs, outputs): few rows times this is faster than times its transpose
        self.bias = None if layers[0].bias is None else torch.cat([layer.bias for layer in layers]).detach()
        adapted = [isinstance(module, LoraLayer) and ADAPTER in module.lora_A for module in modules]
        self.down = self.up = None
        if any(adapted):
            self.down = torch.cat([module.lora_A[ADAPTER].weight for module, has in zip(modules, adapted, strict=True) if has]).T.contiguous().detach()
            shares = [
                module.lora_B[ADAPTER].weight * module.scaling[ADAPTER] if has else layer.weight.new_zeros(layer.out_features, 0) for module, layer, has in zip(modules, layers, adapted, strict=True)
            ]
            self.up = torch.block_diag(*shares).T.contiguous().detach()

    def __call__(self, states: torch.Tensor, tuned: torch.Tensor | slice | None) -> torch.Tensor:
        result = torch.matmul(states, self.weight)
        if self.bias is not None:
            result += self.bias
        if self.down is not None and tuned is not None:
            result[tuned] += torch.matmul(torch.matmul(states[tuned], self.down), self.up)
        return result


def _groups(layer: nn.Module) -> tuple[list[nn.Module], ...]:
    attention, mlp = layer.self_attn, layer.mlp
    return [attention.q_proj, attention.k_proj, attention.v_proj], [attention.o_proj], [mlp.gate_proj, mlp.up_proj], [mlp.down_proj]


def _is_plain(module: nn.Module) -> bool:
    adapted = isinstance(module, LoraLayer)
    return type(_base(module)) is nn.Linear and not (adapted and (module.lora_variant or any(up.bias is not None for up in module.lora_B.values())))


def _base(module: nn.Module) -> nn.Module:
    return module.base_layer if isinstance(module, LoraLayer) else module


def _rms_norm(states: torch.Tensor, norm: LlamaRMSNorm) -> torch.Tensor:
    return functional.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)
