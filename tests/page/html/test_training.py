import json
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from newsft.lessons.arithmetic import RowTokens, compute
from newsft.models.lora import VARCO_SHAPE, measure_shape, read_shape
from newsft.page.html.history import FORMATS, format_history, format_origin
from newsft.page.html.lora import format_norms, format_shape
from newsft.page.html.training import format_arithmetic, format_settings
from newsft.page.plots import QUANTITIES, X, Y, list_quantities, plot_history
from newsft.page.texts import LANGUAGES, say
from newsft.paths import ASSETS
from newsft.recipe import RECIPES, Recipe, from_record
from tests.page.html.test_compare import Page

MINI = RECIPES["mini"]
NAMES = [field.name for field in fields(Recipe) if field.name != "name"]
both_languages = pytest.mark.parametrize("language", LANGUAGES.values())
RUN = {
    "recipe": {"save_every": 5, "max_grad_norm": 0.3},
    "steps": 12,
    "rows": 8,
    "seconds": 90,
    "date": "2026-11-29",
    "device": "CPU <1>",
    "history": [
        {"step": step, "loss": 1 / step, "learning_rate": 1e-3, "grad_norm": 0.2, "tokens": 100 * step}
        for step in (1, 10)
    ],
    "validation": [{"step": 0, "loss": 2.0}, {"step": 12, "loss": 0.5}],
}
OLD = RUN | {"history": [{"step": 1, "loss": 1.0, "learning_rate": 0.0}]}


def test_every_setting_has_its_words_in_both_languages_and_there_are_no_others():
    held = tomllib.loads((ASSETS / "settings.toml").read_text(encoding="utf-8"))
    assert set(held) == set(LANGUAGES.values())
    assert {language: sorted(said) for language, said in held.items()} == dict.fromkeys(held, sorted(NAMES))
    assert all(set(said) == {"what", "change"} for said in held["ko"].values())
    assert all(set(said) == {"change"} for said in held["en"].values())  # what it is, recipe.py says


@both_languages
def test_every_setting_is_shown_with_its_value_and_the_lessons(language):
    page = Page(format_settings(replace(MINI, lora_r=77), language=language))
    assert all(f"--{name.replace('_', '-')}" in page.text for name in NAMES)
    assert "77" in page.text and "constant_with_warmup" in page.text
    assert page.tags.count("td") == 4 * len(NAMES)
    assert [value for name, value in page.attributes if name == "data-head"][:4] == [
        say(f"settings_{name}", language) for name in ("value", "lesson", "what", "change")
    ]


def test_settings_are_read_back_from_a_runs_record():
    changed = replace(MINI, lora_targets=("q_proj",), epochs=1.5)
    assert from_record(json.loads(changed.as_json())).lora_targets == ("q_proj",)
    assert from_record({"epochs": 2, "of_a_later_version": 1}) == Recipe(epochs=2)


@both_languages
def test_formula_is_that_of_the_lesson(language):
    counted = RowTokens((10,) * 496, (3,) * 496)
    chosen = {"rows": 496, "epochs": 3, "batch_size": 2, "accumulation": 2, "processes": 1}
    text = Page(format_arithmetic(compute(MINI, counted, **chosen), available=496, language=language)).text
    assert "496 ÷ (2 × 2) = 124" in text and "124 × 3 = 372" in text and "14,880" in text and "30.0" in text
    uneven = compute(MINI, counted, **chosen | {"rows": 495, "processes": 2})
    text = Page(format_arithmetic(uneven, available=496, language=language)).text
    assert "495 ÷ (2 × 2 × 2) = 61.88 → 62" in text
    assert say("arithmetic_last", language, rows=7) in text


@both_languages
def test_lora_is_drawn_with_the_sizes_of_every_matrix(language):
    shape = measure_shape(read_shape(VARCO_SHAPE), rank=8, alpha=32, targets=("q_proj", "v_proj"))
    page = Page(format_shape(shape, heading="<VARCO>", language=language))
    for text in ("4,096 × 4,096", "1,024 × 8", "8 × 4,096", "3,407,872", "8,030,261,248", "+ 32/8 ×", "<VARCO>"):
        assert text in page.text
    assert page.tags.count("svg") == 2 and page.tags.count("rect") == 6
    norms = {"q_proj": {10: 0.0, 11: 1.5}, "v_proj": {11: 3.0}}  # an adapter of some layers
    page = Page(format_norms(norms, language=language))
    assert page.text.count("1.50") == page.text.count("–") == 1 and page.tags.count("tr") == 1 + 2
    assert "10" in page.text and "11" in page.text
    assert Page(format_norms({"q_proj": {0: 0.0}}, language=language)).text.count("0.00") == 1


@both_languages
def test_settings_of_an_adapter_made_elsewhere_are_said_as_far_as_they_are_known(language):
    recipe = replace(RECIPES["mini"], lora_r=16)
    shown = format_settings(recipe, known=("lora_r",), language=language)
    assert "<strong>16</strong>" in shown
    assert shown.count(say("settings_unknown", language)) == len(fields(Recipe)) - 2  # its name is no setting


@both_languages
def test_history_is_told_in_words_and_numbers(language):
    page = Page(format_history(RUN, list_quantities(RUN), kept=[5, 12], language=language))
    assert page.tags.count("tr") == 1 + 5  # steps 0, 1, 5, 10, 12
    assert page.text.count(say("line_kept", language)) == 2 and "1,000" in page.text and "2.000" in page.text
    assert "CPU <1>" in Page(format_origin(RUN, list_quantities(RUN), language=language)).text
    assert say("quantity_tokens", language) in Page(format_origin(OLD, list_quantities(OLD), language=language)).text


def test_only_what_the_record_holds_can_be_drawn():
    assert list_quantities(RUN) == list(QUANTITIES) == list(FORMATS)
    assert list_quantities(OLD) == ["loss", "learning_rate"] and list_quantities(None) == []


@both_languages
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_plot_has_the_runs_values_and_marks_outside_of_them(language, quantity):
    plot = plot_history(RUN, quantity, kept=[5, 12], language=language)
    frame, top = plot["value"], plot["y_lim"][1]
    training = frame[frame[plot["color"]] == say("line_training", language)]
    assert list(zip(training[X], training[Y], strict=True)) == [(one["step"], one[quantity]) for one in RUN["history"]]
    assert set(frame[plot["color"]]) <= set(plot["color_map"])
    marks = frame[frame[plot["color"]] == say("line_kept", language)]
    assert list(marks[X]) == [5] * 3 + [12] * 3
    assert all(np.isnan(value) or abs(value) > 10 * top for value in marks[Y])  # no pointer meets their ends
    assert training[Y].max() < top


def test_shipped_adapters_record_is_drawn():
    run = json.loads((Path(MINI.adapter) / "run.json").read_text(encoding="utf-8"))
    plot = plot_history(run, "loss", kept=[run["steps"]], language="ko")
    assert plot["x_lim"] == [0, run["steps"]]
