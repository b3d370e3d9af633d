import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from newsft.inference.adapter_switch import AdapterSwitch
from newsft.models.load import ADAPTER

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LAYERS = 2
SIZES = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
}


def build(targets: list[str], **settings) -> torch.nn.Module:
    """A random Llama with a random adapter."""
    torch.manual_seed(3)
    model = LlamaForCausalLM(LlamaConfig(**SIZES | settings)).eval()
    model = get_peft_model(model, LoraConfig(r=2, lora_alpha=6, target_modules=targets), adapter_name=ADAPTER).eval()
    for name, weights in model.named_parameters():  # new LoRA matrices and biases are zeros
        if "lora" in name or name.endswith("bias"):
            torch.nn.init.normal_(weights)
    return model


@pytest.mark.parametrize(
    ("targets", "settings"),
    [
        (["q_proj", "v_proj"], {}),
        (LINEAR, {"num_key_value_heads": 2}),
        (["k_proj", "up_proj"], {"num_key_value_heads": 1, "attention_bias": True, "mlp_bias": True}),
        (["v_proj", "embed_tokens"], {}),
    ],
)
@pytest.mark.parametrize("sides", [["base", "tuned"], ["tuned", "base", "tuned"], ["base", "base"], ["tuned"]])
@torch.inference_mode()
def test_each_row_has_the_logits_of_its_side(targets, settings, sides):
    model = build(targets, **settings)
    ids = torch.randint(0, 50, (len(sides), 7))
    tuned = model(input_ids=ids).logits
    with model.disable_adapter():
        base = model(input_ids=ids).logits
    with AdapterSwitch(model).set_rows(sides):
        found = model.get_base_model()(input_ids=ids).logits
    expected = torch.stack([(tuned if side == "tuned" else base)[row] for row, side in enumerate(sides)])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(tuned, base, rtol=1e-2)


@torch.inference_mode()
def test_rows_of_several_adapters_stand_in_one_batch():
    model = build(["q_proj", "v_proj"])
    for name in ("step-1", "step-2"):
        model.add_adapter(name, copy.deepcopy(model.peft_config[ADAPTER]))
    for name, weights in model.named_parameters():
        if "step-" in name:
            torch.nn.init.normal_(weights)
    sides = ["base", "step-1", "tuned", "step-2", "step-1"]
    ids = torch.randint(0, 50, (1, 7)).expand(len(sides), 7)
    with AdapterSwitch(model).set_rows(sides):
        found = model.get_base_model()(input_ids=ids).logits
    expected = []
    for side in sides:
        if side == "base":
            with model.disable_adapter():
                expected.append(model(input_ids=ids[:1]).logits[0])
        else:
            model.set_adapter(ADAPTER if side == "tuned" else side)
            expected.append(model(input_ids=ids[:1]).logits[0])
    torch.testing.assert_close(found, torch.stack(expected), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found[1], found[3], rtol=1e-2) and not torch.allclose(found[1], found[2], rtol=1e-2)


def test_switch_leaves_the_model_as_it_was():
    model = build(["q_proj"])
    with pytest.raises(RuntimeError), AdapterSwitch(model).set_rows(["base"]):
        assert sum("forward" in vars(module) for module in model.modules()) == LAYERS
        raise RuntimeError("out of memory")
    assert not any("forward" in vars(module) for module in model.modules())  # a second switch finds PEFT's own layers
