"""The GGUF: ids proved before anything is written, and every tensor in llama.cpp's order. The package `gguf` is stood in for where it is missing."""

import copy
import json
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer

from newsft.encoding.chat import ChatFormat
from newsft.errors import UserError
from newsft.publish import gguf


class Writer:
    """Keeps what it is given."""

    def __init__(self, path: str, arch: str):
        self.told, self.tensors = {"arch": arch}, {}
        Writer.last = self

    def __getattr__(self, name):
        return lambda *values: self.told.__setitem__(name, values)

    def add_tensor(self, name, tensor):
        self.tensors[name] = torch.from_numpy(tensor.copy())


@pytest.fixture
def package(monkeypatch):
    kinds = SimpleNamespace(NORMAL=1, CONTROL=3, USER_DEFINED=4, UNUSED=5)
    keys = SimpleNamespace(Adapter=SimpleNamespace(TYPE="adapter.type", LORA_ALPHA="adapter.lora.alpha"))
    monkeypatch.setitem(
        sys.modules,
        "gguf",
        SimpleNamespace(GGUFWriter=Writer, TokenType=kinds, Keys=keys, LlamaFileType=SimpleNamespace(ALL_F32=0)),
    )


def test_all_rows_have_the_trainings_ids(engine, rows):
    gguf.check_ids(engine.loaded, rows)


def test_other_ids_are_refused_with_the_rows(engine, rows, package, tmp_path):
    tokenizer = copy.deepcopy(engine.loaded.chat.tokenizer)
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state["pre_tokenizer"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(state))
    with pytest.raises(UserError, match=r"llama.cpp would cut \d+ of 5 rows"):
        gguf.write_gguf(
            replace(engine.loaded, chat=ChatFormat(tokenizer)), tmp_path / "x.gguf", side="base", rows=rows[:5]
        )
    assert not (tmp_path / "x.gguf").exists()


def test_base_and_adapter_are_written_apart_and_together(engine, rows, package, tmp_path):
    written = {}
    for side in gguf.SIDES:
        loaded = replace(engine.loaded, model=copy.deepcopy(engine.loaded.model))
        gguf.write_gguf(loaded, tmp_path / f"{side}.gguf", side=side, rows=rows[:3])
        written[side] = Writer.last
    base, tuned, lora = (written[side].tensors for side in ("base", "tuned", "lora"))
    config, settings = engine.loaded.model.config, engine.loaded.model.peft_config["default"]
    assert len(base) == len(tuned) == 3 + 9 * config.num_hidden_layers
    assert len(lora) == 2 * len(settings.target_modules) * config.num_hidden_layers
    scale = settings.lora_alpha / settings.r
    for name in ("blk.0.attn_q.weight", "blk.1.attn_v.weight", "blk.2.ffn_down.weight", "blk.3.ffn_gate.weight"):
        torch.testing.assert_close(
            tuned[name], base[name] + scale * lora[f"{name}.lora_b"] @ lora[f"{name}.lora_a"], rtol=1e-4, atol=1e-5
        )
    told = written["base"].told
    assert (
        told["add_eos_token_id"] == (engine.chat.end_id,)
        and told["add_add_bos_token"] == (False,)
        and len(told["add_token_list"][0]) == config.vocab_size
    )
    assert told["add_token_types"][0][engine.chat.end_id] == 3 and written["lora"].told["add_type"] == ("adapter",)


def test_adapter_alone_has_the_scale_that_it_was_trained_with(engine, package, tmp_path):
    loaded = replace(engine.loaded, model=copy.deepcopy(engine.loaded.model))
    layers = [module for module in loaded.model.modules() if hasattr(module, "lora_A")]
    for module in layers:  # as rsLoRA does it
        module.scaling["default"] = 32 / 8**0.5
    gguf.write_gguf(loaded, tmp_path / "x.gguf", side="lora", rows=[])
    assert Writer.last.told["add_float32"][1] / 8 == pytest.approx(32 / 8**0.5)  # llama.cpp divides by the rank
    layers[0].scaling["default"] = 1.0
    with pytest.raises(UserError, match="scales its layers differently"):
        gguf.write_gguf(loaded, tmp_path / "y.gguf", side="lora", rows=[])
    assert not (tmp_path / "y.gguf").exists()


def test_missing_package_is_named(engine, rows, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UserError, match="pip install gguf"):
        gguf.write_gguf(engine.loaded, tmp_path / "x.gguf", side="base", rows=rows[:1])
