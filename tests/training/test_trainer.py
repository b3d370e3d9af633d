"""The two shortcuts of our trainer against TRL's own loss, on padded rows of different length."""

from dataclasses import replace

import pytest
import torch
from trl import SFTTrainer

from newsft.encoding.collate import collate
from newsft.encoding.row import IGNORED
from newsft.errors import UserError
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from newsft.training.preflight import encode_rows
from newsft.training.sft import build_trainer, choose_precision


def shortest(rows):
    """Eight training rows, each of another length."""
    return sorted(rows[495:], key=lambda row: len(row["user_prompt"]))[:8]


@pytest.fixture(scope="module")
def trainer(rows, tmp_path_factory):
    base = load_base(RECIPES["mini"].model)
    encoded = encode_rows(base, shortest(rows), RECIPES["mini"])
    trainer = build_trainer(base, encoded, RECIPES["mini"], tmp_path_factory.mktemp("out"), callbacks=[])
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:  # zero at first, which would hide every difference
            torch.nn.init.normal_(weight, std=0.02, generator=torch.Generator().manual_seed(len(name)))
    trainer.model.eval()  # no dropout: two passes have to agree
    return trainer


@pytest.fixture(scope="module")
def batch(trainer, rows):
    encoded = encode_rows(load_base(RECIPES["mini"].model), shortest(rows), RECIPES["mini"])
    batch = collate([min(encoded, key=len), max(encoded, key=len)], pad_id=0)
    assert not bool(batch["attention_mask"].all())
    return batch


@pytest.fixture
def masks(trainer):
    """The attention mask of every forward pass, as the model's own code receives it."""
    seen = []
    model = trainer.model.get_base_model().model
    handle = model.register_forward_pre_hook(
        lambda _, positional, named: seen.append(named.get("attention_mask")), with_kwargs=True
    )
    yield seen
    handle.remove()


def gradients(trainer, loss):
    trainer.model.zero_grad()
    loss.backward()
    return {name: weight.grad.clone() for name, weight in trainer.model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("labels_of_the_step", [None, 1_234])
def test_loss_and_gradients_are_those_of_trl(trainer, batch, masks, monkeypatch, labels_of_the_step):
    loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=labels_of_the_step)
    ours = gradients(trainer, loss)
    assert masks == [None]
    monkeypatch.setattr(trainer.model, "_forward_pre_hooks", {})  # TRL's loss with the mask in place
    expected = SFTTrainer.compute_loss(trainer, trainer.model, dict(batch), num_items_in_batch=labels_of_the_step)
    theirs = gradients(trainer, expected)
    assert masks[1] is not None
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-6)


def test_mask_of_left_padding_is_kept(trainer, batch, masks):
    flipped = {name: value.flip(1) for name, value in batch.items()}
    trainer.compute_loss(trainer.model, flipped)
    assert masks[0] is not None


def test_batch_without_a_label_has_the_loss_zero(trainer, batch):
    loss = trainer.compute_loss(trainer.model, batch | {"labels": torch.full_like(batch["labels"], IGNORED)})
    assert loss.item() == 0
    assert all(not gradient.any() for gradient in gradients(trainer, loss).values())


def test_training_multiplies_fp32_on_a_cpu_and_refuses_bf16_that_is_imitated(trainer, monkeypatch):
    base, asked = load_base(RECIPES["mini"].model), replace(RECIPES["mini"], precision="bf16")
    assert choose_precision(base, RECIPES["mini"]) == torch.float32 and not trainer.args.bf16
    for units in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, units, lambda: False)
    with pytest.raises(UserError, match="use auto"):
        choose_precision(base, asked)


@pytest.mark.skipif(
    not torch.cpu._is_avx512_bf16_supported(), reason="this CPU has no units for bf16: nothing was trained in it"
)
def test_bf16_changes_the_loss_by_little(rows, tmp_path):
    shortest = min(rows[-8:], key=lambda row: len(row["user_prompt"]))
    found = {}
    for precision in ("bf16", "auto"):
        recipe = replace(
            RECIPES["mini"], precision=precision, max_steps=1, batch_size=1, accumulation=1, lora_dropout=0.0
        )
        base = load_base(recipe.model)
        one = build_trainer(base, encode_rows(base, [shortest], recipe), recipe, tmp_path / precision, callbacks=[])
        types = set()
        one.model.get_base_model().model.layers[0].mlp.register_forward_hook(
            lambda *seen, types=types: types.add(seen[-1].dtype)
        )
        found[precision] = one.train().training_loss, types
    assert found["bf16"][1] == {torch.bfloat16} and found["auto"][1] == {torch.float32}
    assert found["bf16"][0] == pytest.approx(found["auto"][0], rel=0.02)
    assert found["bf16"][0] != found["auto"][0]
