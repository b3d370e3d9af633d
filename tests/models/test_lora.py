import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

from newsft.models.load import ADAPTER
from newsft.models.lora import VARCO_SHAPE, measure_norms, measure_shape, read_shape
from newsft.recipe import RECIPES

MINI, VARCO = RECIPES["mini"], RECIPES["varco"]
TINY = {
    "model_type": "llama",
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def settings(recipe):
    return {"rank": recipe.lora_r, "alpha": recipe.lora_alpha, "targets": recipe.lora_targets}


def test_figures_of_varcos_shape_are_those_of_the_lesson():
    shape = measure_shape(read_shape(VARCO_SHAPE), **settings(VARCO))
    assert shape.parameters == 32 * (8 * (4096 + 4096) + 8 * (4096 + 1024)) == 3_407_872
    assert shape.base_parameters == 8_030_261_248 and shape.scaling == 4
    assert [(one.name, one.outputs, one.inputs) for one in shape.targets] == [
        ("q_proj", 4096, 4096),
        ("v_proj", 1024, 4096),
    ]


@pytest.mark.parametrize("targets", [("q_proj", "v_proj"), ("k_proj", "up_proj", "down_proj"), ("o_proj",)])
def test_parameters_are_those_that_peft_adds(targets):
    shape = measure_shape(read_shape(TINY), rank=4, alpha=6, targets=targets)
    model = get_peft_model(
        LlamaForCausalLM(read_shape(TINY)), LoraConfig(r=4, lora_alpha=6, target_modules=list(targets))
    )
    trained, total = model.get_nb_trainable_parameters()
    assert (shape.parameters, shape.base_parameters) == (trained, total - trained)


def test_shape_of_the_miniature_is_that_of_the_shipped_adapter(engine):
    config = json.loads((Path(MINI.model) / "config.json").read_text(encoding="utf-8"))
    shape = measure_shape(read_shape(config), **settings(MINI))
    held = [value for name, value in engine.loaded.model.named_parameters() if f".{ADAPTER}." in name]
    assert shape.parameters == sum(value.numel() for value in held)


def test_norms_are_of_what_the_adapter_adds(engine):
    layers = [
        module
        for name, module in engine.loaded.model.named_modules()
        if name.endswith("v_proj") and hasattr(module, "lora_A")
    ]
    added = [layer.get_delta_weight(ADAPTER).norm().item() for layer in layers]
    norms = measure_norms(Path(MINI.adapter))
    assert set(norms) == set(MINI.lora_targets)
    assert list(norms["v_proj"]) == list(range(len(added)))
    torch.testing.assert_close(torch.tensor(list(norms["v_proj"].values())), torch.tensor(added), rtol=1e-4, atol=1e-5)
