import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from newsft.inference import lean
from newsft.inference.adapter_switch import AdapterSwitch
from newsft.inference.decoder import _forward
from newsft.inference.kv_cache import KVCache
from newsft.inference.lean import LeanLlama
from newsft.models.load import ADAPTER

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SIZES = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}


def build(*, targets: list[str] | None = None, **settings) -> torch.nn.Module:
    """A random Llama, with a random adapter where there are targets."""
    torch.manual_seed(3)
    model = LlamaForCausalLM(LlamaConfig(**SIZES | settings)).eval()
    if targets:
        model = get_peft_model(model, LoraConfig(r=2, lora_alpha=6, target_modules=targets), adapter_name=ADAPTER).eval()
    for name, weights in model.named_parameters():  # new LoRA matrices and biases are zeros
        if "lora" in name or name.endswith("bias"):
            torch.nn.init.normal_(weights)
    return model


def fill(model: torch.nn.Module, lengths: list[int]) -> KVCache:
    """A cache with rows of random keys and values."""
    torch.manual_seed(4)
    config, cache = model.config, KVCache(model.config.num_hidden_layers)
    cache.lengths = list(lengths)
    for layer in cache.layers:
        layer.make_room(len(lengths), max(lengths) + 10, torch.zeros(1, config.num_key_value_heads, 1, config.head_dim))
        for buffer in layer.buffers:
            buffer.normal_()
    return cache


@pytest.mark.parametrize(
    ("targets", "settings"),
    [
        (None, {}),
        (["q_proj", "v_proj"], {}),
        (LINEAR, {"num_key_value_heads": 2}),
        (["k_proj", "up_proj"], {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True}),
        (["v_proj"], {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}}),
    ],
)
@pytest.mark.parametrize("sides", [["base", "tuned"], ["tuned", "base", "tuned"], ["base", "base"], ["tuned"]])
@pytest.mark.parametrize("width", [1, 4])
def test_pass_has_the_logits_and_the_cache_of_transformers(targets, settings, sides, width):
    model = build(targets=targets, **settings)
    plain = model.get_base_model() if targets else model
    assert LeanLlama.fits(plain)
    switch, short = AdapterSwitch(model), LeanLlama(plain)
    caches = [fill(plain, [20, 13, 5][: len(sides)]) for _ in range(2)]
    ids = torch.randint(0, 50, (len(sides), width))
    found = []
    for cache in caches:
        positions = cache.begin_step(width)
        mask = cache.mask(torch.float32)
        asked = sides if targets else ["base"] * len(sides)
        with switch.set_rows(asked):
            found.append(short(ids, cache, positions=positions, mask=mask, rows=switch.sort_rows(asked)) if found else _forward(plain, ids, cache, attention_mask=mask, position_ids=positions))
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)
    for before, after in zip(*(cache.layers for cache in caches), strict=True):
        torch.testing.assert_close(after.buffers, before.buffers, rtol=1e-4, atol=1e-5)


def test_switch_leaves_the_model_as_it_was():
    model = build(targets=["q_proj"])
    with pytest.raises(RuntimeError), AdapterSwitch(model).set_rows(["base"]):
        assert sum("forward" in vars(module) for module in model.modules()) == SIZES["num_hidden_layers"]
        raise RuntimeError("out of memory")
    assert not any("forward" in vars(module) for module in model.modules())  # a second switch finds PEFT's own layers


def test_it_answers_for_nothing_that_it_does_not_compute(monkeypatch):
    model = build()
    assert LeanLlama.fits(model)
    assert not LeanLlama.fits(copy.deepcopy(model).to(torch.bfloat16))
    assert not LeanLlama.fits(build(hidden_act="gelu"))
    assert not LeanLlama.fits(build(attn_implementation="eager"))
    assert not LeanLlama.fits(MistralForCausalLM(MistralConfig(**SIZES, num_key_value_heads=2)))
    dora = get_peft_model(build(), LoraConfig(r=2, target_modules=["q_proj"], use_dora=True), adapter_name=ADAPTER)
    assert not LeanLlama.fits(dora.get_base_model())
    biased = get_peft_model(build(), LoraConfig(r=2, target_modules=["q_proj"], lora_bias=True), adapter_name=ADAPTER)
    assert not LeanLlama.fits(biased.get_base_model())
    other = build()
    other.model.layers[1].mlp.up_proj = torch.nn.Sequential(torch.nn.Linear(16, 24))
    assert not LeanLlama.fits(other)
    monkeypatch.setattr(lean, "MOST_PARAMETERS", 100)
    assert not LeanLlama.fits(model)


def test_shipped_model_decodes_this_way(engine):
    assert engine._decoder._lean is not None
