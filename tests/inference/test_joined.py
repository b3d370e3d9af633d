import copy

import pytest
import torch
from peft import LoraConfig
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

from newsft.inference.adapter_switch import AdapterSwitch
from newsft.inference.decoder import Decoder, Job, forward
from newsft.inference.joined import JoinedLlama
from newsft.inference.kv_cache import KVCache
from newsft.inference.types import Request
from newsft.models.load import ADAPTER
from tests.inference.test_adapter_switch import LINEAR, SIZES, build

LLAMA_3 = {
    "rope_type": "llama3",
    "rope_theta": 1e4,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


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
        (["q_proj", "v_proj"], {}),
        (LINEAR, {"num_key_value_heads": 2}),
        (["k_proj", "up_proj"], {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True}),
        (["v_proj"], {"rope_parameters": LLAMA_3}),
    ],
)
@pytest.mark.parametrize("sides", [["base", "tuned"], ["tuned", "base", "tuned"], ["base", "base"], ["tuned"]])
@pytest.mark.parametrize("width", [1, 4])
def test_step_has_the_logits_and_the_cache_of_transformers(targets, settings, sides, width):
    model = build(targets, **settings)
    plain = model.get_base_model()
    assert JoinedLlama.fits(plain)
    switch, joined = AdapterSwitch(model), JoinedLlama(plain)
    ours, theirs = (fill(plain, [20, 13, 5][: len(sides)]) for _ in range(2))
    ids = torch.randint(0, 50, (len(sides), width))
    rows = switch.sort_rows(sides)
    assert joined.takes(rows)
    positions = ours.begin_step(width)
    found = joined(ids, ours, positions=positions, mask=ours.mask(torch.float32), rows=rows)
    positions = theirs.begin_step(width)
    with switch.set_rows(sides):
        expected = forward(plain, ids, theirs, attention_mask=theirs.mask(torch.float32), position_ids=positions)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for mine, other in zip(ours.layers, theirs.layers, strict=True):
        for buffer, kept in zip(mine.buffers, other.buffers, strict=True):
            torch.testing.assert_close(buffer, kept, rtol=1e-4, atol=1e-5)


def add(model: torch.nn.Module, name: str, **settings) -> None:
    """One more random adapter."""
    model.add_adapter(name, LoraConfig(r=3, lora_alpha=5, **settings))
    for key, weights in model.named_parameters():
        if f".{name}." in key:
            torch.nn.init.normal_(weights)


def test_adapters_come_and_go():
    model = build(["q_proj", "v_proj"])
    plain = model.get_base_model()
    switch, joined = AdapterSwitch(model), JoinedLlama(plain)
    assert joined.takes([ADAPTER])
    add(model, "second", target_modules=LINEAR)  # where there was no adapter, PEFT puts other modules
    switch.refresh()
    sides = ["second", "base", "tuned"]
    rows = switch.sort_rows(sides)
    assert joined.takes(rows)
    answers = []
    for way in ("joined", "plain"):
        cache, ids = fill(plain, [20, 13, 5]), torch.tensor([[1, 2], [3, 4], [5, 6]])
        positions, mask = cache.begin_step(2), cache.mask(torch.float32)
        if way == "joined":
            answers.append(joined(ids, cache, positions=positions, mask=mask, rows=rows))
        else:
            with switch.set_rows(sides):
                answers.append(forward(plain, ids, cache, attention_mask=mask, position_ids=positions))
    torch.testing.assert_close(*answers, rtol=1e-4, atol=1e-5)
    before = {number: dict(group.shares) for number, group in enumerate(joined._groups)}
    switch.remove("second")
    joined.forget("second")
    assert all("second" in shares for shares in before.values())
    assert not any("second" in group.shares for group in joined._groups)


@pytest.mark.parametrize(
    "settings",
    [
        {"target_modules": ["q_proj"], "use_dora": True},
        {"target_modules": ["embed_tokens"]},
        {"target_modules": ["lm_head", "q_proj"]},
        {"target_modules": ["q_proj"], "lora_bias": True},
    ],
)
def test_other_adapters_are_left_to_peft(settings):
    model = build(["q_proj", "v_proj"])
    joined = JoinedLlama(model.get_base_model())
    add(model, "other", **settings)
    assert not joined.takes(["other"])
    assert not joined.takes(["other"])  # and asked again


def test_rs_lora_has_its_own_scale():
    model = build(["q_proj"])
    add(model, "other", target_modules=LINEAR, use_rslora=True)
    plain = model.get_base_model()
    switch, joined = AdapterSwitch(model), JoinedLlama(plain)
    rows = switch.sort_rows(["other"])
    assert joined.takes(rows)
    cache, ids = fill(plain, [7]), torch.tensor([[1, 2, 3]])
    found = joined(ids, cache, positions=cache.begin_step(3), mask=cache.mask(torch.float32), rows=rows)
    cache = fill(plain, [7])
    positions = cache.begin_step(3)
    with switch.set_rows(["other"]):
        expected = forward(plain, ids, cache, attention_mask=cache.mask(torch.float32), position_ids=positions)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "other",
    [
        lambda: LlamaForCausalLM(LlamaConfig(**SIZES)).to(torch.bfloat16),
        lambda: LlamaForCausalLM(LlamaConfig(**SIZES, hidden_act="gelu")),
        lambda: LlamaForCausalLM._from_config(LlamaConfig(**SIZES), attn_implementation="eager"),
        lambda: MistralForCausalLM(MistralConfig(**SIZES, num_key_value_heads=2)),
    ],
)
def test_other_models_keep_their_own_pass(other):
    assert not JoinedLlama.fits(other())


def test_answers_are_the_same_with_and_without():
    model = build(LINEAR, num_key_value_heads=2)
    prompts = [[1, 2, 3, 4, 5, 6], [7, 8, 9]]
    found = []
    for joined in (True, False):
        decoder = Decoder(copy.deepcopy(model), stop_ids=[0], max_new_tokens=30)
        assert decoder._joined is not None
        if not joined:
            decoder._joined = None
        job = Job([Request(prompt, side) for prompt in prompts for side in ("base", "tuned")])
        decoder.submit(job)
        tokens: dict[int, list[int]] = {}
        while decoder.busy:
            for one in decoder.step().get(job, []):
                tokens.setdefault(one.row, []).append(one.token)
        found.append(tokens)
    assert found[0] == found[1]
    assert len({tuple(tokens) for tokens in found[0].values()}) > 1
