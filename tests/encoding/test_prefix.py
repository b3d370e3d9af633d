"""Rows in one sequence behind their shared prefix against the same rows in an ordinary batch."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from newsft.encoding.collate import collate
from newsft.encoding.prefix import collate_shared, shared_length
from newsft.encoding.row import IGNORED, Encoded
from newsft.errors import UserError
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from newsft.training.preflight import encode_rows
from newsft.training.sft import build_trainer, shares_prefix

MINI = replace(RECIPES["mini"], lora_dropout=0.0, max_steps=3, log_every=1)
STEP = 4  # rows


def row(ids: list[int], *, trained: int) -> Encoded:
    """A row whose last `trained` tokens are labels."""
    return Encoded(
        input_ids=ids,
        labels=[IGNORED] * (len(ids) - trained) + ids[len(ids) - trained :],
        attention_mask=[1] * len(ids),
    )


@pytest.fixture(scope="module")
def encoded(rows):
    return encode_rows(load_base(MINI.model), sorted(rows[-40:], key=lambda one: len(one["user_prompt"]))[:12], MINI)


def build(encoded, tmp_path, **settings):
    torch.manual_seed(7)
    return build_trainer(load_base(MINI.model), encoded, replace(MINI, **settings), tmp_path, callbacks=[])


def losses_and_adapter(trainer):
    trainer.train()
    history = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return history, {
        name: weight.detach().clone() for name, weight in trainer.model.named_parameters() if weight.requires_grad
    }


def test_shared_length_is_the_common_beginning():
    assert shared_length([row([1, 2, 3, 4, 5], trained=1), row([1, 2, 3, 9, 5], trained=1)]) == 3
    assert shared_length([row([1, 2], trained=1), row([7, 2], trained=1)]) == 0


def test_shared_length_leaves_each_row_a_token_and_its_labels():
    assert shared_length([row([1, 2, 3], trained=0), row([1, 2, 3], trained=0)]) == 2
    assert shared_length([row([1, 2, 3, 4, 5], trained=2), row([1, 2, 3, 4, 5], trained=3)]) == 1
    assert shared_length([row([1, 2, 3], trained=3), row([1, 2, 3], trained=3)]) == 0


def test_one_sequence_holds_every_token_of_every_row_once():
    batch = collate_shared([row([1, 2, 3, 4], trained=1), row([1, 2, 5, 6, 7], trained=2)])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6, 7]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    assert batch["labels"].tolist() == [[IGNORED, IGNORED, IGNORED, 4, IGNORED, 6, 7]]
    seen = [[place for place, sees in enumerate(line) if sees] for line in batch["attention_mask"][0, 0].tolist()]
    assert seen == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 4], [0, 1, 4, 5], [0, 1, 4, 5, 6]]


def test_rows_without_a_common_beginning_see_themselves_only():
    batch = collate_shared([row([1, 2], trained=1), row([3, 4], trained=1)])
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1]]
    assert batch["attention_mask"][0, 0].int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]


def test_loss_and_gradients_are_those_of_the_ordinary_batch(encoded, tmp_path):
    trainer = build(encoded, tmp_path)
    for name, weight in trainer.model.named_parameters():
        if "lora_B" in name:  # zero at first, which would hide every difference
            torch.nn.init.normal_(weight, std=0.02, generator=torch.Generator().manual_seed(len(name)))
    found = []
    for batch in (collate(encoded[:STEP], pad_id=0), collate_shared(encoded[:STEP])):
        trainer.model.zero_grad()
        loss = trainer.compute_loss(trainer.model, batch, num_items_in_batch=1_234)
        loss.backward()
        found.append(
            (
                loss.detach(),
                {
                    name: weight.grad.clone()
                    for name, weight in trainer.model.named_parameters()
                    if weight.grad is not None
                },
            )
        )
    (plain, gradients), (shared, others) = found
    torch.testing.assert_close(shared, plain, rtol=1e-5, atol=0)
    assert gradients and gradients.keys() == others.keys()
    for name, gradient in gradients.items():
        assert (others[name] - gradient).norm() <= 1e-5 * gradient.norm(), name


def test_three_steps_are_those_of_ordinary_batches(encoded, tmp_path):
    plain, weights = losses_and_adapter(build(encoded, tmp_path / "plain", shared_prefix="off"))
    shared, others = losses_and_adapter(build(encoded, tmp_path / "shared", shared_prefix="on"))
    assert len(plain) == 3
    assert shared == pytest.approx(plain, rel=1e-5)
    for name, weight in weights.items():
        torch.testing.assert_close(others[name], weight, rtol=1e-3, atol=1e-5)


def test_a_step_is_one_sequence_of_all_its_rows(encoded, tmp_path):
    trainer = build(encoded, tmp_path, shared_prefix="on")
    batches = list(trainer.get_train_dataloader())
    assert len(batches) == len(encoded) // STEP and trainer.args.gradient_accumulation_steps == 1
    assert all(batch["input_ids"].shape[0] == 1 and batch["attention_mask"].dtype == torch.bool for batch in batches)
    total = sum(batch["input_ids"].shape[1] for batch in batches)
    assert total < sum(map(len, encoded))


@pytest.mark.parametrize(
    ("settings", "attention", "reason"),
    [
        ({}, "flash_attention_2", "flash_attention_2"),
        ({"batch_size": 1, "accumulation": 1}, "sdpa", "one row"),
        ({}, "sdpa", "fewer than"),
    ],
    ids=["attention", "one row a step", "no common beginning"],
)
def test_where_it_cannot_be_done_auto_falls_back_and_on_says_why(encoded, settings, attention, reason):
    loaded = load_base(MINI.model)
    loaded.model.config._attn_implementation = attention
    chosen = [row([number, 2, 3], trained=1) for number in range(STEP)] if reason == "fewer than" else encoded
    assert not shares_prefix(loaded, chosen, replace(MINI, shared_prefix="auto", **settings))
    with pytest.raises(UserError, match=reason):
        shares_prefix(loaded, chosen, replace(MINI, shared_prefix="on", **settings))
    assert not shares_prefix(loaded, encoded, replace(MINI, shared_prefix="off"))


def test_it_is_off_unless_asked_for_and_auto_leaves_it_to_the_gpu(encoded):
    loaded = load_base(MINI.model)
    assert {recipe.shared_prefix for recipe in RECIPES.values()} == {"off"}
    on_gpu = SimpleNamespace(model=loaded.model, device=torch.device("cuda"))
    assert not shares_prefix(on_gpu, encoded, MINI) and shares_prefix(
        on_gpu, encoded, replace(MINI, shared_prefix="auto")
    )
    assert shares_prefix(loaded, encoded, replace(MINI, shared_prefix="on"))
    assert shares_prefix(loaded, encoded, replace(MINI, shared_prefix="auto")) == (loaded.device.type != "cpu")
