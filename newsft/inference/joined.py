"""A small Llama's step of a few tokens in fewer and larger operations.

On a CPU such a step costs what its operations cost beside their arithmetic, and an adapter on every linear layer more than doubles their number. Here one matrix product gives queries,
keys and values, one the two halves of the MLP, and two an adapter's share of each; the arithmetic is that of transformers' LlamaForCausalLM and of PEFT's LoRA.
"""

from collections.abc import Iterable, Mapping

import torch
from peft.tuners.lora import LoraLayer
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRMSNorm, repeat_kv

from newsft.compat import attention_of
from newsft.inference.kv_cache import KVCache, KVCacheLayer

SMALL_MODEL = 100_000_000  # parameters up to which this pays: the joined matrices are copies, and in a larger model the arithmetic counts
Rows = Mapping[str, slice | torch.Tensor]  # adapter -> what picks its rows of a batch
Turn = tuple[torch.Tensor, torch.Tensor]  # cosines and signed sines of the positions, (rows, width, 1, size of a head)


class JoinedLlama:
    """The steps of a Llama whose `fits` is true, with the weights that it has now; its adapters may come and go."""

    def __init__(self, model: LlamaForCausalLM):
        self._model = model
        self._layers = [_Layer(layer) for layer in model.model.layers]
        self._groups = [group for layer in self._layers for group in layer.groups]
        self._taken: dict[str, bool] = {}  # each adapter that was asked for: whether it is joined

    @staticmethod
    def fits(model: nn.Module) -> bool:
        """Whether it is a small Llama in fp32 on a CPU, of plain linear layers with at most LoRA on them."""
        if type(model) is not LlamaForCausalLM or model.num_parameters() > SMALL_MODEL:
            return False
        if model.device.type != "cpu" or model.dtype != torch.float32:
            return False
        linear = [module for layer in model.model.layers for group in _groups(layer) for module in group]
        plain = all(type(_base(module)) is nn.Linear for module in linear)
        return plain and model.config.hidden_act == "silu" and attention_of(model.config) == "sdpa"

    def takes(self, adapters: Iterable[str]) -> bool:
        """Whether all of these are plain LoRA on the layers' linear parts alone; joins those that were not seen before."""
        for name in adapters:
            if name not in self._taken:
                self._taken[name] = self._is_plain(name)
                for group in self._groups if self._taken[name] else ():
                    group.join(name)
        return all(self._taken[name] for name in adapters)

    def forget(self, adapter: str) -> None:
        """Its weights have left the model."""
        self._taken.pop(adapter, None)
        for group in self._groups:
            group.shares.pop(adapter, None)

    def _is_plain(self, adapter: str) -> bool:
        parts = {module for group in self._groups for module in group.modules()}
        adapted = [
            module for module in self._model.modules() if isinstance(module, LoraLayer) and _has(module, adapter)
        ]
        return all(
            module in parts
            and adapter in module.lora_A
            and adapter not in module.lora_variant
            and module.lora_B[adapter].bias is None
            for module in adapted
        )

    @torch.inference_mode()
    def __call__(
        self, ids: torch.Tensor, cache: KVCache, *, positions: torch.Tensor, mask: torch.Tensor | None, rows: Rows
    ) -> torch.Tensor:
        """Run `ids` (rows, width) in the step that the cache has begun; logits, (rows, width, vocabulary)."""
        inner = self._model.model
        hidden = inner.embed_tokens(ids)
        cos, sin = inner.rotary_emb(hidden, positions)
        half = sin.shape[-1] // 2
        turn = cos[:, :, None], torch.cat((-sin[..., :half], sin[..., half:]), dim=-1)[:, :, None]
        for layer, kept in zip(self._layers, cache.layers, strict=True):
            hidden = layer(hidden, kept, turn=turn, mask=mask, rows=rows)
        return self._model.lm_head(_normalise(hidden, inner.norm))


class _Layer:
    """One of the model's layers."""

    def __init__(self, layer: nn.Module):
        attention = layer.self_attn
        self.norms = layer.input_layernorm, layer.post_attention_layernorm
        self.size, self.repeats, self.scaling = attention.head_dim, attention.num_key_value_groups, attention.scaling
        self.groups = [_Joined(layer, number) for number in range(len(_groups(layer)))]
        self.turned = sum(_base(module).out_features for module in _groups(layer)[0][:2])  # queries and keys

    def __call__(
        self, hidden: torch.Tensor, kept: KVCacheLayer, *, turn: Turn, mask: torch.Tensor | None, rows: Rows
    ) -> torch.Tensor:
        count, width, _ = hidden.shape
        before_attention, before_mlp = self.norms
        project, leave, widen, narrow = self.groups
        projected = project(_normalise(hidden, before_attention), rows).view(count, width, -1, self.size)
        turned, values = projected.split([self.turned // self.size, projected.shape[2] - self.turned // self.size], 2)
        cos, sin = turn
        turned = torch.addcmul(turned * cos, turned.roll(self.size // 2, -1), sin).transpose(1, 2)
        queries, keys = turned.split([turned.shape[1] - values.shape[2], values.shape[2]], 1)
        keys, values = kept.update(keys, values.transpose(1, 2))
        keys, values = repeat_kv(keys, self.repeats), repeat_kv(values, self.repeats)
        seen = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, scale=self.scaling)
        hidden = leave(seen.transpose(1, 2).reshape(count, width, -1), rows).add_(hidden)
        gate, up = widen(_normalise(hidden, before_mlp), rows).chunk(2, dim=-1)
        return narrow(functional.silu(gate).mul_(up), rows).add_(hidden)


class _Joined:
    """Linear parts with the same input as one, and the shares of each adapter as one more; of several parts, each of its own outputs."""

    def __init__(self, layer: nn.Module, number: int):
        self._layer, self._number = layer, number  # PEFT puts other modules in the place of those that get an adapter
        parts = [_base(module) for module in self.modules()]
        # (inputs, outputs): few rows times this is faster than times its transpose
        self.weight = torch.cat([part.weight for part in parts]).T.contiguous().detach()
        self.bias = None if parts[0].bias is None else torch.cat([part.bias for part in parts]).detach()
        self.shares: dict[str, tuple[torch.Tensor, torch.Tensor] | None] = {}

    def modules(self) -> list[nn.Module]:
        """The parts as the model has them now."""
        return _groups(self._layer)[self._number]

    def join(self, adapter: str) -> None:
        """Keep what that adapter adds here; None where it has nothing here."""
        down, up = [], []
        for module in self.modules():
            if _has(module, adapter):
                down.append(module.lora_A[adapter].weight)
                up.append(module.lora_B[adapter].weight * module.scaling[adapter])
            else:
                up.append(_base(module).weight.new_zeros(_base(module).out_features, 0))
        self.shares[adapter] = None
        if down:
            self.shares[adapter] = (
                torch.cat(down).T.contiguous().detach(),
                torch.block_diag(*up).T.contiguous().detach(),
            )

    def __call__(self, states: torch.Tensor, rows: Rows) -> torch.Tensor:
        result = torch.matmul(states, self.weight)
        if self.bias is not None:
            result += self.bias
        for adapter, picked in rows.items():
            if share := self.shares[adapter]:
                down, up = share
                result[picked] += torch.matmul(torch.matmul(states[picked], down), up)
        return result


def _groups(layer: nn.Module) -> tuple[list[nn.Module], ...]:
    """The linear parts of a layer, those with the same input together."""
    attention, mlp = layer.self_attn, layer.mlp
    return (
        [attention.q_proj, attention.k_proj, attention.v_proj],
        [attention.o_proj],
        [mlp.gate_proj, mlp.up_proj],
        [mlp.down_proj],
    )


def _base(module: nn.Module) -> nn.Module:
    return module.base_layer if isinstance(module, LoraLayer) else module


def _has(module: nn.Module, adapter: str) -> bool:
    return isinstance(module, LoraLayer) and (adapter in module.lora_A or adapter in module.lora_embedding_A)


def _normalise(states: torch.Tensor, norm: LlamaRMSNorm) -> torch.Tensor:
    return functional.rms_norm(states, norm.weight.shape, norm.weight, norm.variance_epsilon)
