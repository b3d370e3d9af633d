import threading
from dataclasses import replace

import pytest

from newsft.data.rows import split_rows
from newsft.inference.engine import load_engine
from newsft.inference.types import ABORT, GrowingEngine
from newsft.recipe import RECIPES
from tests.growth import write_grown

MINI = RECIPES["mini"]
ROW = 12


@pytest.fixture(scope="module")
def growing(rows, tmp_path_factory):
    """The shipped engine with three earlier steps of its adapter."""
    folder = write_grown(tmp_path_factory.mktemp("growth") / "adapter")
    examples = split_rows(rows, test_ratio=MINI.test_ratio).examples
    return load_engine(replace(MINI, adapter=str(folder)), examples=examples)


def ask(answers):
    for last in answers:
        pass
    return last


def asked(rows):
    return {"news": rows[ROW]["user_prompt"], "system_prompt": rows[ROW]["system_prompt"]}


def test_last_step_answers_as_the_comparison_does_token_for_token(growing, rows):
    assert isinstance(growing, GrowingEngine)
    assert growing.capabilities.growth == {0: "step-0", 100: "step-100", 200: "step-200", 372: "tuned"}
    grown, compared = ask(growing.grow(**asked(rows))), ask(growing.compare(**asked(rows)))
    for side in ("base", "tuned"):
        first, second = grown.answers[side], compared.answers[side]
        assert (first.text, first.tokens, first.reason) == (second.text, second.tokens, second.reason)
    assert grown.answers["step-0"].text == grown.answers["base"].text  # B is zero
    assert len({answer.text for answer in grown.answers.values()}) > 1 and grown.done


def test_steps_beside_it_do_not_change_a_comparison(growing, engine, rows):
    texts = [
        {side: answer.text for side, answer in ask(one.compare(**asked(rows))).answers.items()}
        for one in (growing, engine)
    ]
    assert texts[0] == texts[1]
    assert growing.models.adapter_fingerprint == engine.models.adapter_fingerprint


def test_there_is_one_copy_of_the_base(growing, engine):
    def base_size(one):
        return sum(value.numel() for name, value in one.loaded.model.named_parameters() if "lora_" not in name)

    assert base_size(growing) == base_size(engine)


def test_growth_can_be_stopped(growing, rows):
    stop = threading.Event()
    for number, last in enumerate(growing.grow(**asked(rows), stop=stop)):
        if number == 5:
            stop.set()
    assert {answer.reason for answer in last.answers.values()} == {ABORT}
