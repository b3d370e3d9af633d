"""The merged checkpoint against base and adapter apart."""

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from newsft.data.messages import row_messages
from newsft.encoding.chat import ChatFormat
from newsft.errors import UserError
from newsft.models.load import stop_ids
from newsft.publish.merge import export
from newsft.recipe import RECIPES
from tests import programs

ROOT, MINI = Path(__file__).parents[2], RECIPES["mini"]


def test_merged_model_is_plain_and_answers_as_the_adapter_does(engine, rows, tmp_path):
    done = programs.run("-m", "newsft.publish.merge", "--output", tmp_path / "merged")
    assert done.returncode == 0, done.stderr
    assert "newsft.publish.gguf" in done.stdout
    config = json.loads((tmp_path / "merged" / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert (
        config["tokenizer_class"] == "PreTrainedTokenizerFast"
        and not {"backend", "is_local", "local_files_only"} & config.keys()
    )  # transformers 4 reads it
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    chat = ChatFormat(tokenizer)
    ids = torch.tensor([chat.encode_prompt(row_messages(rows[10])[:-1]).input_ids])
    with torch.no_grad():
        ours = engine.loaded.model(input_ids=ids).logits
        torch.testing.assert_close(merged(input_ids=ids).logits, ours, rtol=1e-3, atol=1e-3)
        with engine.loaded.model.disable_adapter():
            assert (ours - engine.loaded.model(input_ids=ids).logits).abs().max() > 0.1  # or there was nothing to merge
    assert set(stop_ids(chat, merged)) == set(merged.generation_config.eos_token_id)


def test_folder_in_use_is_refused_and_kept(tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UserError, match="--output"):
        export(MINI.model, MINI.adapter, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
