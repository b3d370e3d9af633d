import shutil
from datetime import date

import pytest
import torch

from newsft.encoding.chat import ChatFormat
from newsft.errors import UserError
from newsft.fingerprints import fingerprint_model
from newsft.models.load import add_adapter, load_base, load_chat, on_day_of, stop_ids
from newsft.recipe import RECIPES
from tests.templates import with_template
from tests.varco import write_varco_checkpoint

MINI = RECIPES["mini"]


@pytest.fixture(scope="module")
def varco(tmp_path_factory):
    return write_varco_checkpoint(tmp_path_factory.mktemp("varco"))


def copy_with_other_weights(source, folder):
    base = load_base(str(source))
    with torch.no_grad():
        base.model.model.layers[0].self_attn.q_proj.weight.mul_(1.01)
    base.model.save_pretrained(folder, max_shard_size="8MB")
    base.chat.tokenizer.save_pretrained(folder)
    return folder


def test_adapter_of_another_base_of_the_same_shape_is_refused(tmp_path):
    other = copy_with_other_weights(MINI.model, tmp_path / "other")
    with pytest.raises(UserError, match="another base model"):
        add_adapter(load_base(str(other)), MINI.adapter)


def test_fingerprint_depends_on_the_weights_and_not_on_the_place(tmp_path):
    shutil.copytree(MINI.model, tmp_path / "copy")
    assert fingerprint_model(tmp_path / "copy") == load_base(MINI.model).fingerprint
    other = copy_with_other_weights(MINI.model, tmp_path / "other")
    assert fingerprint_model(other) != fingerprint_model(tmp_path / "copy")


def test_missing_folders_name_the_remedy(tmp_path):
    with pytest.raises(UserError, match="folder"):
        load_base(str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"python train\.py"):
        add_adapter(load_base(MINI.model), str(tmp_path))


def test_hub_model_without_network_says_what_was_asked_for_and_how_to_get_it():
    with pytest.raises(UserError, match="NCSOFT/Llama-VARCO-8B-Instruct") as caught:
        load_base("NCSOFT/Llama-VARCO-8B-Instruct")
    assert "hf download" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pickle_weights_are_not_loaded(tmp_path):
    shutil.copytree(MINI.model, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.safetensors*"))
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="pickle"):
        load_base(str(tmp_path))


def test_damaged_weights_are_a_clear_error(tmp_path):
    shutil.copytree(MINI.model, tmp_path, dirs_exist_ok=True)
    shard = next(tmp_path.glob("*.safetensors"))
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(UserError, match="could not be loaded"):
        load_base(str(tmp_path))


def test_answers_of_varco_stop_at_the_end_of_the_turn_whatever_its_config_says(varco):
    loaded = load_base(str(varco))
    assert loaded.chat.tokenizer.pad_token_id == 0
    stops = stop_ids(loaded.chat, loaded.model)
    assert "template" in stops[128_009]
    assert "config" in stops[128_001] and "template" not in stops[128_001]
    assert len(list(varco.glob("model-*-of-00004.safetensors"))) == 4


def test_mistrals_own_tokenizer_file_is_named(tmp_path):
    (tmp_path / "tekken.json").write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match=r"tekken\.json alone.*tokenizer\.json"):
        load_chat(tmp_path)


def test_prompts_have_the_date_of_the_adapters_training(chat):
    dated = ChatFormat(with_template(chat.tokenizer, chat.template + "{# strftime_now #}"), day=date(2026, 3, 2))
    assert on_day_of(dated, {"template_day": "2026-03-01"}).day == date(2026, 3, 1)
    assert on_day_of(dated, {"template_day": None}) is on_day_of(dated, None) is dated
