"""What a model needs, against what loading it takes."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from newsft.errors import UserError
from newsft.models import memory
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from newsft.training.preflight import encode_rows
from newsft.training.sft import checkpoints_gradients
from tests.varco import write_varco_checkpoint

MINI = RECIPES["mini"]


@pytest.fixture(scope="module")
def varco(tmp_path_factory):
    return write_varco_checkpoint(tmp_path_factory.mktemp("varco"))


def test_estimate_is_what_the_loaded_weights_take(varco, tmp_path):
    model = load_base(str(varco)).model
    need = memory.estimate_weights(varco, dtype=torch.float32, quantize="none")
    assert need.parameters == model.num_parameters()
    assert need.weights == sum(weight.nbytes for weight in model.parameters())
    assert memory.estimate_weights(varco, dtype=torch.bfloat16, quantize="none").weights == need.weights / 2


def test_four_bits_shrink_the_linear_layers_only(varco):
    linear = sum(weight.numel() for name, weight in load_base(str(varco)).model.named_parameters() if "proj" in name)
    plain, small = (
        memory.estimate_weights(varco, dtype=torch.bfloat16, quantize=quantize).weights for quantize in ("none", "4bit")
    )
    assert plain - small == pytest.approx(linear * (2 - memory.NF4_BYTES), abs=1)


def test_model_that_does_not_fit_is_refused_before_it_is_loaded(monkeypatch):
    need = [
        memory.estimate_weights(Path(MINI.model), dtype=torch.float32, quantize=quantize).weights
        for quantize in ("none", "4bit")
    ]
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("it was loaded"))
    monkeypatch.setattr(memory, "free_bytes", lambda device: need[1] + 1)
    with pytest.raises(UserError, match="with --quantize 4bit they would take"):
        load_base(MINI.model)
    monkeypatch.setattr(memory, "free_bytes", lambda device: need[1] - 1)
    with pytest.raises(UserError, match="more memory, or --recipe mini"):
        load_base(MINI.model)


def test_activations_of_the_8b_shape_are_those_that_were_measured():
    """Peak memory less the weights, on an H200 (docs/gpu.md)."""
    for tokens, measured in ((5_228, 27.9e9), (11_814, 63.1e9)):
        found = memory.estimate_activations(tokens, layers=32, hidden=4096, dtype=torch.bfloat16)
        assert measured <= found < 1.02 * measured


def test_free_memory_is_that_of_this_machine():
    assert 1e8 < memory.free_bytes("cpu") < 1e13


def test_gradients_are_checkpointed_where_the_longest_step_would_not_fit(rows, monkeypatch):
    loaded = load_base(MINI.model)
    encoded = encode_rows(loaded, rows[-8:], MINI)

    def decide(setting):
        return checkpoints_gradients(loaded, encoded, replace(MINI, gradient_checkpointing=setting))

    assert not decide("auto") and decide("on") and not decide("off")
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1e6)
    assert decide("auto") and not decide("off")
    longest = max(map(len, encoded))
    config = loaded.model.config
    needed = memory.estimate_activations(
        2 * longest, layers=config.num_hidden_layers, hidden=config.hidden_size, dtype=torch.float32
    )
    assert needed == 2 * longest * config.num_hidden_layers * config.hidden_size * 82
    monkeypatch.setattr(memory, "free_bytes", lambda device: needed)
    assert not decide("auto")


def test_line_for_the_log_names_type_attention_and_memory():
    line = load_base(MINI.model, attention="eager").describe()
    assert all(part in line for part in ("assets/mini", "float32 on cpu", "attention eager", "GB are free"))


def test_attention_that_cannot_be_had_is_named():
    if torch.cuda.is_available():
        pytest.skip("flash attention may be there")
    with pytest.raises(UserError, match="flash_attention_2"):
        load_base(MINI.model, attention="flash_attention_2")
