import argparse
import dataclasses
import json

import pytest

from newsft import recipe
from newsft.errors import UserError
from newsft.paths import ASSETS
from newsft.recipe import RECIPES, Recipe


def parse(*flags, only=None):
    parser = argparse.ArgumentParser()
    recipe.add_flags(parser, only=only)
    return recipe.from_flags(parser.parse_args(list(flags)))


def test_lessons_arithmetic_is_372_steps():
    assert RECIPES["varco"].steps(496) == RECIPES["mini"].steps(496) == 372


def test_defaults_are_the_lessons():
    varco = RECIPES["varco"]
    assert (varco.model, varco.data) == ("NCSOFT/Llama-VARCO-8B-Instruct", "iamjoon/finance_news_summarizer")
    assert (varco.lora_r, varco.lora_alpha, varco.lora_dropout, varco.lora_targets) == (
        8,
        32,
        0.1,
        ("q_proj", "v_proj"),
    )
    assert (varco.epochs, varco.batch_size, varco.accumulation, varco.learning_rate) == (3, 2, 2, 1e-4)
    assert (varco.warmup_ratio, varco.max_grad_norm, varco.max_length, varco.max_new_tokens) == (0.03, 0.3, 8192, 1024)
    assert (varco.optimizer, varco.gradient_checkpointing, varco.log_every, varco.save_every) == (
        "adamw_torch_fused",
        "auto",
        10,
        50,
    )
    assert varco.schedule == "constant_with_warmup"  # `constant` would ignore the warm-up


@pytest.mark.parametrize(
    "rows, changes, steps",
    [
        (495, {}, 372),  # the last batch of an epoch is a row short
        (1, {}, 3),
        (5, {"epochs": 1}, 2),
        (496, {"max_steps": 7}, 7),
        (496, {"batch_size": 1, "accumulation": 1, "epochs": 1}, 496),
        (10, {"epochs": 0.5}, 2),  # transformers rounds 1.5 steps up
    ],
)
def test_steps_count_what_the_trainer_will_do(rows, changes, steps):
    assert dataclasses.replace(Recipe(), **changes).steps(rows) == steps


def test_no_flag_means_the_mini_recipe_unchanged():
    assert parse() == RECIPES["mini"]
    assert parse("--recipe", "varco") == RECIPES["varco"]


def test_flags_change_single_settings():
    flags = "--recipe varco --epochs 0.5 --lora-targets q_proj k_proj --gradient-checkpointing off --learning-rate 2e-5 --max-steps 3"
    changed = parse(*flags.split())
    expected = {
        "epochs": 0.5,
        "lora_targets": ("q_proj", "k_proj"),
        "gradient_checkpointing": "off",
        "learning_rate": 2e-5,
        "max_steps": 3,
    }
    assert changed == dataclasses.replace(RECIPES["varco"], **expected)


@pytest.mark.parametrize(
    "flags, named",
    [
        (["--batch-size", "0"], "--batch-size is 0"),
        (["--accumulation", "-1"], "--accumulation is -1"),
        (["--lora-r", "0"], "--lora-r is 0"),
        (["--max-length", "0"], "--max-length is 0"),
        (["--save-every", "0"], "--save-every is 0"),
        (["--test-ratio", "1"], "--test-ratio is 1.0"),
        (["--test-ratio", "0"], "--test-ratio is 0.0"),
        (["--test-ratio", "nan"], "--test-ratio is nan"),
        (["--epochs", "0"], "--epochs is 0.0"),
        (["--max-steps", "0"], "--max-steps is 0"),
        (["--warmup-ratio", "1"], "--warmup-ratio is 1.0"),
        (["--warmup-ratio", "-0.1"], "--warmup-ratio is -0.1"),
        (["--learning-rate", "0"], "--learning-rate is 0.0"),
        (["--learning-rate", "nan"], "--learning-rate is nan"),
        (["--eval-rows", "-1"], "--eval-rows is -1"),
    ],
)
def test_setting_out_of_range_names_its_flag_and_value(flags, named):
    with pytest.raises(UserError, match=named):
        parse(*flags)


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"quantize": "8bit"}, {"test_ratio": 1.5}])
def test_recipe_with_a_setting_out_of_range_cannot_be_made_in_any_way(settings):
    (name,) = settings
    for make in (Recipe, lambda **changes: dataclasses.replace(RECIPES["mini"], **changes)):
        with pytest.raises(UserError, match=f"--{name.replace('_', '-')} is "):
            make(**settings)


def test_zero_epochs_are_fine_with_a_number_of_steps():
    assert parse("--epochs", "0", "--max-steps", "2").steps(496) == 2


@pytest.mark.parametrize(
    "flags",
    [
        ["--recipe", "other"],
        ["--epochs", "many"],
        ["--name", "x"],
        ["--quantize", "8bit"],
        ["--gradient-checkpointing", "yes"],
    ],
)
def test_flag_that_does_not_exist_ends_the_program(flags, capsys):
    with pytest.raises(SystemExit) as stopped:
        parse(*flags)
    assert stopped.value.code == 2
    assert flags[0].lstrip("-") in capsys.readouterr().err


def test_program_may_offer_some_settings_only(capsys):
    assert parse("--model", "here", only=("model",)).model == "here"
    with pytest.raises(SystemExit):
        parse("--epochs", "1", only=("model",))


def test_help_gives_every_setting_with_its_reason_and_both_defaults():
    parser = argparse.ArgumentParser(prog="train.py")
    recipe.add_flags(parser)
    shown = " ".join(parser.format_help().split())
    for field in dataclasses.fields(Recipe):
        if field.name != "name":
            assert "--" + field.name.replace("_", "-") in shown
            assert " ".join(field.metadata["why"].split()[:3]) in shown
    assert "mini: 0.0004, varco: 0.0001" in shown
    assert "mini: assets/news.jsonl" in shown


def test_saved_recipe_builds_the_same_recipe_again(tmp_path):
    changed = dataclasses.replace(RECIPES["varco"], lora_r=4, data="뉴스.jsonl")
    changed.save(tmp_path)
    held = json.loads((tmp_path / recipe.RECIPE_FILE).read_text(encoding="utf-8"))
    assert recipe.from_record(held) == changed


def test_saved_recipe_names_no_folder_of_the_machine_that_trained_it(tmp_path):
    RECIPES["mini"].save(tmp_path)
    text = (tmp_path / recipe.RECIPE_FILE).read_text(encoding="utf-8")
    assert str(ASSETS.parent) not in text
    assert json.loads(text)["data"] == "assets/news.jsonl"


def test_public_recipe_names_no_folder_of_the_machine_at_all(tmp_path):
    own = dataclasses.replace(RECIPES["mini"], data=str(tmp_path / "rows.jsonl"), output="out")
    shown = own.public()
    assert (shown.data, shown.output, shown.model) == ("rows.jsonl", "out", "assets/mini")
    assert RECIPES["varco"].public() == RECIPES["varco"]


def test_mini_recipe_runs_without_the_network(rows):
    mini = RECIPES["mini"]
    assert all(str(ASSETS) in path for path in (mini.model, mini.data, mini.adapter))
    assert int(len(rows) * mini.test_ratio) == 495


VARCO = RECIPES["varco"].model


@pytest.fixture
def variables(monkeypatch):
    def put(model=None, adapter=None):
        for name, value in (("NEWSFT_MODEL", model), ("NEWSFT_ADAPTER", adapter)):
            monkeypatch.delenv(name, raising=False)
            if value is not None:
                monkeypatch.setenv(name, value)

    return put


def test_variables_choose_model_and_adapter_and_the_recipe_that_is_made_for_the_model(variables):
    variables(VARCO, "someone/Llama-news")
    assert parse() == dataclasses.replace(RECIPES["varco"], adapter="someone/Llama-news")
    variables("someone/other", "someone/news")
    assert parse() == dataclasses.replace(RECIPES["mini"], model="someone/other", adapter="someone/news")


def test_flag_wins_over_its_variable_and_a_named_recipe_over_both(variables):
    variables(VARCO, "someone/Llama-news")
    assert parse("--adapter", "here") == dataclasses.replace(RECIPES["varco"], adapter="here")
    assert parse("--model", "there") == dataclasses.replace(
        RECIPES["mini"], model="there", adapter="someone/Llama-news"
    )
    assert parse("--recipe", "mini") == RECIPES["mini"]


def test_empty_variable_is_none(variables):
    variables("", " ")
    assert parse() == RECIPES["mini"]
