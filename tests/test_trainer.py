"""The two shortcuts of our trainer against TRL's own loss, on padded rows of different length."""

import pytest
import torch
from trl import SFTTrainer

from newsft import models, training
from newsft.chat import IGNORED
from newsft.collate import collate
from newsft.recipe import RECIPES


@pytest.fixture(scope="module")
def trainer(rows, tmp_path_factory):
    base = models.load_base(RECIPES["mini"].model)
    encoded = training.encode_rows(base, rows[-8:], RECIPES["mini"])
    trainer = training.build_trainer(base, encoded, RECIPES["mini"], tmp_path_factory.mktemp("out"), callbacks=[])
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:  # zero at first, which would hide every difference
            torch.nn.init.normal_(weight, std=0.02, generator=torch.Generator().manual_seed(len(name)))
    trainer.model.eval()  # no dropout: two passes have to agree
    return trainer


@pytest.fixture(scope="module")
def batch(trainer, rows):
    encoded = training.encode_rows(models.load_base(RECIPES["mini"].model), rows[-8:], RECIPES["mini"])
    batch = collate([min(encoded, key=len), max(encoded, key=len)], pad_id=0)
    assert not bool(batch["attention_mask"].all())
    return batch


@pytest.fixture
def masks(trainer):
    """The attention mask of every forward pass, as the model's own code receives it."""
    seen = []
    model = trainer.model.get_base_model().model
    handle = model.register_forward_pre_hook(lambda _, positional, named: seen.append(named.get("attention_mask")), with_kwargs=True)
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
