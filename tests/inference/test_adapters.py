"""Several adapters on one base: chosen by name, added and removed while others are answered."""

import json
import shutil
import threading
import time
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from newsft.errors import UserError
from newsft.inference.engine import load_engine
from newsft.inference.receipt import write_receipt
from newsft.inference.types import ChangeableEngine
from newsft.models.adapter_info import name_adapters
from newsft.recipe import RECIPES
from tests.growth import FILES, SHIPPED
from tests.inference.stand_in_gpu import Gpu, build_zero

MINI = replace(RECIPES["mini"], max_new_tokens=24)
OTHER = ["k_proj", "up_proj"]  # layers that the shipped adapter has not got


def write_weaker(folder, share=0.0):
    """The shipped adapter with B made smaller: with a share of 0 it answers as the base does."""
    folder.mkdir(parents=True)
    for name in FILES:
        shutil.copy(SHIPPED / name, folder)
    weights = load_file(folder / "adapter_model.safetensors")
    found = {name: weight * share if "lora_B" in name else weight for name, weight in weights.items()}
    save_file(found, folder / "adapter_model.safetensors")
    return folder


def write_other(folder):
    """A random adapter of another rank on other layers, made elsewhere: without a record of its run."""
    torch.manual_seed(5)
    model = AutoModelForCausalLM.from_pretrained(MINI.model)
    model = get_peft_model(model, LoraConfig(r=3, lora_alpha=12, target_modules=OTHER))
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("adapters")
    return {"silent": write_weaker(root / "silent"), "other": write_other(root / "other")}


@pytest.fixture(scope="module")
def several(folders):
    """An engine with three adapters."""
    return load_engine(MINI, more=[str(folders["silent"]), str(folders["other"])])


def ask(engine, row, adapter=None, **settings):
    *_, last = engine.compare(row["user_prompt"], system_prompt=row["system_prompt"], adapter=adapter, **settings)
    return last


def texts(comparison):
    return {side: (answer.text, answer.reason) for side, answer in comparison.answers.items()}


def wait_until(holds, seconds=20):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_each_adapter_answers_beside_the_same_base_as_if_it_were_the_only_one(several, folders, rows):
    assert [info.name for info in several.adapters] == ["mini-news", "silent", "other"]
    found = {name: texts(ask(several, rows[0], name)) for name in (None, "mini-news", "silent", "other")}
    assert found[None] == found["mini-news"] == texts(ask(load_engine(MINI), rows[0]))
    assert found["silent"]["tuned"] == found["silent"]["base"] == found[None]["base"]
    alone = load_engine(replace(MINI, adapter=str(folders["other"])))
    assert found["other"] == texts(ask(alone, rows[0]))
    assert len({answers["tuned"] for answers in found.values()}) == 3


def test_rows_of_all_adapters_share_a_batch(several, rows):
    names = ["mini-news", "other", "silent", "other"]
    alone = [texts(ask(several, rows[0], name)) for name in names]
    running = [
        several.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], adapter=name) for name in names
    ]
    for one in running:
        next(one)
    assert [texts(list(one)[-1]) for one in running] == alone


def test_there_is_one_copy_of_the_base(several, engine):
    def base_size(one):
        return sum(value.numel() for name, value in one.loaded.model.named_parameters() if "lora_" not in name)

    assert base_size(several) == base_size(engine)


def test_receipt_names_the_adapter_that_answered(several, rows):
    receipt = write_receipt(several, ask(several, rows[0], "other"))
    info = several.adapters[2]
    assert receipt.adapters == {"base": None, "tuned": "other"} and receipt.alarms == ()
    assert receipt.adapter_fingerprint == info.fingerprint != several.adapters[0].fingerprint
    assert receipt.adapter_settings == {"r": 3, "alpha": 12, "targets": "k_proj up_proj"}
    assert receipt.data_fingerprint is None  # it has no record of its run
    shipped = write_receipt(several, ask(several, rows[0]))
    assert shipped.adapter_settings["steps"] == 372 and shipped.adapters["tuned"] == "mini-news"
    assert write_receipt(several, ask(several, rows[0], "silent")).alarms == ("no_difference",)


def test_name_that_is_not_there_is_refused_with_those_that_are(several, rows):
    with pytest.raises(UserError, match="mini-news, silent, other") as caught:
        ask(several, rows[0], "nothing")
    assert caught.value.key == "unknown_adapter" and several.askers == 0


def test_adapter_added_while_others_are_answered_is_asked_at_once(folders, rows):
    engine = load_engine(MINI)
    assert isinstance(engine, ChangeableEngine) and engine.capabilities.changeable
    right = texts(ask(engine, rows[0]))
    running = engine.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    next(running)
    info = engine.add_adapter("mine", folders["other"], listed=False)
    assert (info.name, info.listed) == ("mine", False) and engine.adapters[-1] == info
    assert texts(list(running)[-1]) == right
    alone = load_engine(replace(MINI, adapter=str(folders["other"])))
    assert texts(ask(engine, rows[0], "mine")) == texts(ask(alone, rows[0]))
    assert texts(ask(engine, rows[0])) == right
    with pytest.raises(UserError) as caught:
        ask(engine, rows[0], "nothing")
    assert "mine" not in str(caught.value).split("choose")[1]  # it is offered to nobody


def test_removed_adapter_answers_to_the_end_and_then_leaves_the_memory(folders, rows):
    engine = load_engine(MINI)
    info = engine.add_adapter("mine", folders["other"])
    right = texts(ask(engine, rows[0], "mine"))
    running = engine.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], adapter="mine")
    next(running)
    engine.remove_adapter("mine")
    with pytest.raises(UserError):
        ask(engine, rows[0], "mine")
    assert info.side in engine.loaded.model.peft_config
    assert texts(list(running)[-1]) == right
    # peft takes the configuration away first and then layer after layer.
    wait_until(lambda: not [name for name, _ in engine.loaded.model.named_parameters() if info.side in name])
    assert info.side not in engine.loaded.model.peft_config
    assert not [side for side, _ in engine._decoder._prefixes if side == info.side]
    again = engine.add_adapter(
        "mine", folders["silent"]
    )  # the name is free again, and nothing of the first is taken for its own
    assert again.side != info.side
    found = texts(ask(engine, rows[0], "mine"))
    assert found["tuned"] == found["base"]


def test_adapter_whose_asker_leaves_goes_too(folders, rows):
    engine = load_engine(MINI)
    info = engine.add_adapter("mine", folders["other"])
    running = engine.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"], adapter="mine")
    next(running)
    engine.remove_adapter("mine")
    running.close()
    wait_until(lambda: info.side not in engine.loaded.model.peft_config)
    assert ask(engine, rows[0]).done


def test_adapters_come_and_go_under_many_askers(folders, rows):
    engine, ended = load_engine(MINI), threading.Event()
    there, right, problems = list(engine.loaded.model.peft_config), texts(ask(engine, rows[0])), []

    def keep_asking():
        while not ended.is_set():
            found = texts(ask(engine, rows[0]))
            problems.extend([found] if found != right else [])

    threads = [threading.Thread(target=keep_asking) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(4):
        engine.add_adapter(f"mine {number}", folders["other"])
        assert ask(engine, rows[0], f"mine {number}").done
        engine.remove_adapter(f"mine {number}")
    ended.set()
    for thread in threads:
        thread.join()
    assert problems == []
    wait_until(lambda: list(engine.loaded.model.peft_config) == there)


def test_folder_that_does_not_fit_is_refused_and_the_page_goes_on(folders, rows, tmp_path):
    engine = load_engine(MINI)
    right = texts(ask(engine, rows[0]))
    foreign = write_weaker(tmp_path / "foreign", 1.0)
    run = json.loads((foreign / "run.json").read_text(encoding="utf-8")) | {"base_fingerprint": "0" * 16}
    (foreign / "run.json").write_text(json.dumps(run), encoding="utf-8")
    cut = write_weaker(tmp_path / "cut", 1.0)
    weights = load_file(cut / "adapter_model.safetensors")
    save_file({name: weight[:, :4].contiguous() for name, weight in weights.items()}, cut / "adapter_model.safetensors")
    for folder, words in ((foreign, "another base"), (cut, "does not fit"), (tmp_path / "nothing", "no adapter")):
        with pytest.raises(UserError, match=words):
            engine.add_adapter("mine", str(folder))
    for name in ("mini-news", " "):
        with pytest.raises(UserError, match="name"):
            engine.add_adapter(name, folders["silent"])
    with pytest.raises(UserError, match="started with"):
        engine.remove_adapter("mini-news")
    assert len(engine.adapters) == 1 and texts(ask(engine, rows[0])) == right
    engine.add_adapter("mine", folders["silent"])  # a refused name is not kept


def test_where_each_answer_has_a_process_of_its_own_several_answer_and_none_is_added(several, folders, rows):
    zero = build_zero(several, Gpu())
    assert texts(ask(zero, rows[0], "other")) == texts(ask(several, rows[0], "other"))
    assert not zero.capabilities.changeable
    for change in (lambda: zero.add_adapter("mine", folders["silent"]), lambda: zero.remove_adapter("other")):
        with pytest.raises(UserError, match="--adapter") as caught:
            change()
        assert caught.value.key == "not_changeable"


def test_names_are_as_short_as_they_can_be(tmp_path):
    for name in ("a/mine", "b/mine", "b/second"):
        (tmp_path / name).mkdir(parents=True)
    given = [str(tmp_path / name) for name in ("a/mine", "b/mine", "b/second")]
    assert name_adapters(given) == ["a/mine", "b/mine", "second"]
    assert name_adapters(["someone/news", given[2]]) == ["news", "second"]
    with pytest.raises(UserError, match="twice"):
        name_adapters([given[0], str(tmp_path / "b" / ".." / "a" / "mine")])
