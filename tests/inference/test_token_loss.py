from pathlib import Path
from statistics import fmean

import pytest
import torch
from peft import set_peft_model_state_dict
from safetensors.torch import load_file

from newsft.data.messages import row_messages
from newsft.encoding.row import IGNORED
from newsft.errors import UserError
from newsft.inference.token_loss import take_xray
from newsft.models.load import load_base
from newsft.page.tabs.evaluation import EvaluationHandlers
from newsft.page.texts import say
from newsft.recipe import RECIPES
from newsft.training.sft import build_trainer


@pytest.fixture(scope="module")
def encoded(engine, rows):
    return [engine.loaded.chat.encode_row(row_messages(row)) for row in rows[:3]]


def test_mean_over_the_labels_is_the_loss_that_training_reports(engine, encoded, tmp_path):
    recipe = RECIPES["mini"]
    trainer = build_trainer(load_base(recipe.model), encoded, recipe, tmp_path, validation=encoded)
    found = [take_xray(engine, one) for one in encoded]
    assert fmean(xray.mean("base") for xray in found) == pytest.approx(
        trainer.evaluate()["eval_loss"], rel=1e-4
    )  # a fresh adapter does nothing
    set_peft_model_state_dict(trainer.model, load_file(Path(recipe.adapter) / "adapter_model.safetensors"))
    assert fmean(xray.mean("tuned") for xray in found) == pytest.approx(trainer.evaluate()["eval_loss"], rel=1e-4)


def test_prompt_too_is_the_loss_without_masking(engine, encoded):
    one = encoded[0]
    with torch.no_grad():
        loss = engine.loaded.model(
            input_ids=torch.tensor([one.input_ids]), labels=torch.tensor([one.input_ids])
        ).loss.item()
    assert take_xray(engine, one).mean("tuned", prompt_too=True) == pytest.approx(loss, abs=1e-5)


def test_the_adapter_makes_the_answer_cheaper(engine, encoded):
    xray = take_xray(engine, encoded[0])
    assert xray.mean("tuned") < xray.mean("base")
    gains = [gain for gain, label in zip(xray.gains(), xray.encoded.labels, strict=True) if label != IGNORED]
    assert sum(gains) / len(gains) == pytest.approx(xray.mean("base") - xray.mean("tuned"))
    assert xray.gains()[0] is None


def test_row_without_labels_has_no_mean(engine, encoded):
    one = engine.loaded.chat.encode_prompt([{"role": "user", "content": "안녕하세요?"}])
    xray = take_xray(engine, one)
    assert xray.mean("tuned") is None and xray.mean("tuned", prompt_too=True) > 0


def test_row_longer_than_the_model_takes_is_refused(engine):
    long = engine.loaded.chat.encode_row(
        [{"role": "user", "content": "가 " * engine.positions}, {"role": "assistant", "content": "나"}]
    )
    with pytest.raises(UserError, match="shorter"):
        take_xray(engine, long)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("out of memory")])
def test_x_ray_that_fails_says_so_on_the_page_and_the_next_one_is_right(engine, rows, tmp_path, monkeypatch, error):
    def fail(*values, **named):
        raise error

    handlers = EvaluationHandlers(engine, rows, tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(engine, "score", fail)
        assert say("error_model", "en") in handlers.xray(3, "en")
    assert say("error_model", "en") not in handlers.xray(3, "en")
