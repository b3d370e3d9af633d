"""The shortcuts of our trainer against TRL's own loss, on padded rows of different length."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM
from trl import SFTTrainer

from newsft.compat import attention_of
from newsft.encoding.collate import collate
from newsft.encoding.row import IGNORED
from newsft.errors import UserError
from newsft.models.load import load_base
from newsft.recipe import RECIPES
from newsft.training import packed
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


def rows_of(batch):
    return [
        {"input_ids": ids[:length], "labels": labels[:length]}
        for ids, labels, length in zip(
            batch["input_ids"].tolist(), batch["labels"].tolist(), batch["attention_mask"].sum(1).tolist(), strict=True
        )
    ]


@pytest.mark.parametrize("packs", [True, False])
@pytest.mark.parametrize("labels_of_the_step", [None, 1_234])
def test_loss_and_gradients_are_those_of_trl(trainer, batch, masks, monkeypatch, labels_of_the_step, packs):
    assert trainer._packs
    monkeypatch.setattr(trainer, "_packs", packs)
    loss = trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=labels_of_the_step)
    ours = gradients(trainer, loss)
    shared, tokens = packed.shared_length(rows_of(batch)), int(batch["attention_mask"].sum())
    assert shared > 200  # the system prompt
    assert masks[0].shape == (1, tokens - shared) and bool(masks[0].all()) if packs else masks == [None]
    monkeypatch.setattr(trainer.model, "_forward_pre_hooks", {})  # TRL's loss with the mask in place
    expected = SFTTrainer.compute_loss(trainer, trainer.model, dict(batch), num_items_in_batch=labels_of_the_step)
    theirs = gradients(trainer, expected)
    assert masks[1] is not None
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-4, atol=1e-6)


def test_left_padding_is_not_packed_and_keeps_its_mask(trainer, batch, masks, monkeypatch):
    flipped = {name: value.flip(1) for name, value in batch.items()}
    loss = trainer.compute_loss(trainer.model, flipped)
    assert masks[0].shape == batch["input_ids"].shape
    monkeypatch.setattr(trainer.model, "_forward_pre_hooks", {})
    torch.testing.assert_close(loss, SFTTrainer.compute_loss(trainer, trainer.model, flipped), rtol=1e-5, atol=0)


def test_three_rows_without_a_common_beginning_are_packed_too(trainer, batch, masks, monkeypatch):
    """Of three lengths, one of them a single token and without a label."""
    ids = torch.tensor([[5, 6, 7, 8, 9], [11, 12, 13, 0, 0], [14, 0, 0, 0, 0]])
    mask = (ids > 0).long()
    labels = torch.where(torch.tensor([[0, 0, 1, 1, 1], [0, 1, 1, 0, 0], [0] * 5]).bool(), ids, IGNORED)
    made = {"input_ids": ids, "labels": labels, "attention_mask": mask}
    loss = trainer.compute_loss(trainer.model, dict(made))
    assert masks[0].shape == (1, 9)
    monkeypatch.setattr(trainer.model, "_forward_pre_hooks", {})
    torch.testing.assert_close(loss, SFTTrainer.compute_loss(trainer, trainer.model, made), rtol=1e-5, atol=0)


@pytest.mark.parametrize("heads", [1, 2, 4], ids=["one key head", "grouped", "a key head each"])
def test_attention_by_row_is_that_of_each_row_alone(heads):
    config = LlamaConfig(
        vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=heads
    )  # fmt: skip
    torch.manual_seed(1)
    model = LlamaForCausalLM(config).eval()
    rows = [torch.tensor([[1, 2, 3, *tail]]) for tail in ([4, 5], [6], [7, 8, 9, 10])]
    alone = [model(row).logits[0, 3:] for row in rows]
    assert packed.prepare(model)
    columns = [{"input_ids": row[0].tolist(), "labels": [IGNORED] * 3 + row[0, 3:].tolist()} for row in rows]
    joined, borders = packed.join(columns)
    assert borders == (2, 5, 7, 12)  # the first own token is no label, so the prefix ends before it
    sequence = {name: joined[name] for name in ("input_ids", "position_ids")}
    logits = model(**sequence, attention_mask=torch.ones(1, 12), borders=borders).logits[0]
    for start, end, expected in zip(borders, borders[1:], alone, strict=False):
        torch.testing.assert_close(logits[start + 1 : end], expected)
    torch.testing.assert_close(model(rows[0]).logits[0, 3:], alone[0])  # without borders as before


def test_only_llama_with_pytorchs_attention_is_packed():
    sizes = dict(vocab_size=50, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2)
    windowed = MistralForCausalLM(MistralConfig(**sizes, num_key_value_heads=2, sliding_window=4))
    eager = LlamaForCausalLM._from_config(LlamaConfig(**sizes), attn_implementation="eager")
    for model in (windowed, eager):
        before = attention_of(model.config)
        assert not packed.prepare(model) and attention_of(model.config) == before


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
