"""The base in 4 bits: it answers with and without the adapter, and trains one."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from newsft.errors import UserError
from newsft.inference.engine import LocalEngine
from newsft.models import memory
from newsft.models.load import add_adapter, load_base
from newsft.recipe import RECIPES
from newsft.training.preflight import encode_rows
from newsft.training.sft import build_trainer

MINI = replace(RECIPES["mini"], quantize="4bit")


@pytest.fixture(scope="module")
def base():
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: nothing in 4 bits was tested")
    return load_base(MINI.model, quantize=MINI.quantize)


def test_linear_layers_are_held_in_four_bits_as_estimated(base):
    estimated = memory.estimate_weights(Path(MINI.model), dtype=torch.float32, quantize="4bit").weights
    assert base.model.get_memory_footprint() == pytest.approx(estimated, rel=0.02)
    assert "4-bit" in base.describe()


def test_both_sides_answer(rows):
    pytest.importorskip("bitsandbytes")
    engine = LocalEngine(add_adapter(load_base(MINI.model, quantize=MINI.quantize), MINI.adapter), max_new_tokens=12)
    *_, last = engine.compare(rows[10]["user_prompt"], system_prompt=rows[10]["system_prompt"])
    assert last.answers["tuned"].text.startswith("{'is_stock_related': ")
    assert last.difference["largest"] > 0.1


def test_training_moves_the_adapter(base, rows, tmp_path):
    recipe = replace(MINI, max_steps=3, batch_size=1, accumulation=1)  # the first one only warms up
    trainer = build_trainer(base, encode_rows(base, rows[-4:], recipe), recipe, tmp_path, callbacks=[])
    before = {name: value.clone() for name, value in trainer.model.named_parameters() if value.requires_grad}
    trainer.train()
    assert before and all("lora_" in name for name in before)
    assert any(
        not torch.equal(value, before[name]) for name, value in trainer.model.named_parameters() if name in before
    )


def test_without_bitsandbytes_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install bitsandbytes"):
        load_base(MINI.model, quantize="4bit")
