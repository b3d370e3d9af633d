"""What is no adapter of the loaded base is refused with a message that says what was expected."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from newsft.data.rows import Split
from newsft.errors import UserError
from newsft.models.load import add_adapter, load_base
from newsft.models.run_record import news_lengths, read_run
from newsft.recipe import Recipe
from newsft.training.record import describe_run
from tests import tiny

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.write_model(tmp_path_factory.mktemp("base"), layers=2)


@pytest.fixture(scope="module")
def base(model):
    return load_base(str(model))


def write_adapter(model: Path, folder: Path, **settings) -> Path:
    """A LoRA adapter for a model, as other programs write it: without run.json."""
    config = LoraConfig(**({"r": 4, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM"} | settings))
    get_peft_model(load_base(str(model)).model, config).save_pretrained(folder)
    return folder


@pytest.fixture
def adapter(model, tmp_path):
    return write_adapter(model, tmp_path / "adapter")


def refuse(base, folder: Path, *words: str) -> None:
    before = {name: value.clone() for name, value in base.model.state_dict().items()}
    with pytest.raises(UserError) as caught:
        add_adapter(base, str(folder))
    for word in (*words, str(folder)):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    after = base.model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)


def test_adapter_of_this_base_is_taken(model, adapter):
    loaded = add_adapter(load_base(str(model)), str(adapter))
    assert loaded.run is None and loaded.adapter_fingerprint


def test_pickle_is_not_loaded(base, adapter):
    torch.save(load_file(adapter / WEIGHTS), adapter / "adapter_model.bin")
    (adapter / WEIGHTS).unlink()
    refuse(base, adapter, "pickle", "adapter_model.bin", f"expected were adapter_config.json and {WEIGHTS}")


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_truncated_weights_are_refused(base, adapter, size):
    (adapter / WEIGHTS).write_bytes((adapter / WEIGHTS).read_bytes()[:size])
    refuse(base, adapter, "damaged", "copy the adapter again")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"peft_type": "LORA", "r": "many"}'])
def test_damaged_configuration_is_refused(base, adapter, content):
    (adapter / "adapter_config.json").write_text(content)
    refuse(base, adapter)


def test_wrong_width_is_refused(base, tmp_path):
    wide = write_adapter(tiny.write_model(tmp_path / "wide", hidden=32), tmp_path / "adapter")
    refuse(base, wide, "layers.0.self_attn.q_proj.lora_A.weight of 4 x 16, found 4 x 32")


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (1, ("expected were 8 matrices, found 4", "4 of them are missing, first", "layers.1")),
        (3, ("expected were 8 matrices, found 12", "4 have no place, first", "layers.2")),
    ],
)
def test_fewer_or_more_layers_are_refused(base, tmp_path, layers, words):
    refuse(base, write_adapter(tiny.write_model(tmp_path / "other", layers=layers), tmp_path / "adapter"), *words)


def test_other_targets_than_the_configuration_says_are_refused(base, adapter):
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"target_modules": ["c_attn"]}))
    refuse(base, adapter, "does not fit", "c_attn")


def test_rank_that_is_not_the_weights_is_refused(base, adapter):
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps(config | {"r": 2}))
    refuse(base, adapter, "of 2 x 16, found 4 x 16")


def test_one_lacking_matrix_is_refused(base, adapter):
    weights = load_file(adapter / WEIGHTS)
    lacking = sorted(weights)[-1]
    save_file({name: value for name, value in weights.items() if name != lacking}, adapter / WEIGHTS)
    refuse(base, adapter, "1 of them are missing", lacking)


@pytest.mark.parametrize("settings", [{"bias": "lora_only"}, {"modules_to_save": ["lm_head"]}, {"use_dora": True}])
def test_adapter_that_is_not_plain_lora_is_refused(base, model, tmp_path, settings):
    refuse(base, write_adapter(model, tmp_path / "adapter", **settings), "plain LoRA", next(iter(settings)))


def test_merged_model_is_no_adapter(base, model, adapter, tmp_path):
    loaded = add_adapter(load_base(str(model)), str(adapter))
    loaded.model.merge_and_unload().save_pretrained(tmp_path / "merged")
    refuse(base, tmp_path / "merged", "a whole model", "--model", f"expected were adapter_config.json and {WEIGHTS}")


def test_adapter_is_no_base_model(model, adapter):
    load_base(str(model)).chat.tokenizer.save_pretrained(adapter)  # as many trainers leave it there
    with pytest.raises(UserError, match="expected was a base model; give the adapter with --adapter"):
        load_base(str(adapter))


@pytest.fixture
def trained(base, model, adapter):
    """The adapter with what training writes beside it."""
    rows = tiny.make_rows(4)
    split = Split(rows[:2], rows[2:], "")
    (adapter / "run.json").write_text(json.dumps(describe_run(base, split, Recipe(model=str(model)))), encoding="utf-8")
    return adapter


def test_other_base_of_the_same_shape_is_refused_by_its_fingerprint(base, trained, tmp_path):
    other = load_base(str(tiny.write_model(tmp_path / "other", seed=1)))
    refuse(other, trained, "another base model", base.fingerprint, other.fingerprint)


def test_other_tokenizer_is_refused_by_its_fingerprint(model, trained, tmp_path):
    shutil.copytree(model, tmp_path / "other")
    path = tmp_path / "other" / "tokenizer.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    content["model"]["merges"].pop()
    path.write_text(json.dumps(content), encoding="utf-8")
    refuse(load_base(str(tmp_path / "other")), trained, "another base model", "tokenizer")


def test_other_chat_template_is_refused(model, trained, tmp_path):
    shutil.copytree(model, tmp_path / "other")
    path = tmp_path / "other" / "chat_template.jinja"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    refuse(load_base(str(tmp_path / "other")), trained, "another chat template")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"base_fingerprint": 1}', "null"])
def test_damaged_record_of_the_training_is_refused(base, trained, content):
    (trained / "run.json").write_text(content)
    refuse(base, trained, "run.json is damaged")


def test_record_knows_the_shortest_and_the_longest_news_and_an_earlier_one_does_not(base, trained):
    run = read_run(trained)
    assert news_lengths(run) == tuple(sorted(len(row["user_prompt"]) for row in tiny.make_rows(4)[2:]))
    assert news_lengths({name: what for name, what in run.items() if name != "news_lengths"}) is None


@pytest.mark.parametrize("lengths", [None, 3, [], [1], ["short", "long"]])
def test_record_with_damaged_lengths_is_refused(base, trained, lengths):
    run = read_run(trained) | {"news_lengths": lengths}
    (trained / "run.json").write_text(json.dumps(run), encoding="utf-8")
    refuse(base, trained, "run.json is damaged")
