import copy
from dataclasses import replace

import pytest
import torch

from newsft.inference.engine import LocalEngine
from newsft.inference.receipt import NO_DIFFERENCE, OTHER_BASE, OTHER_IDS, hash_ids, write_receipt

NEWS = "가람누리테크가 1,200억 원 규모의 전력 반도체 공급 계약을 체결했다."


def compare(engine):
    *_, last = engine.compare(NEWS, system_prompt=engine.loaded.run["system_prompt"])
    return last


def copied(engine, **changes):
    return LocalEngine(replace(engine.loaded, model=copy.deepcopy(engine.loaded.model), **changes), max_new_tokens=4)


def test_receipt_of_a_fair_comparison_has_no_alarm(engine):
    comparison = compare(engine)
    receipt = write_receipt(engine, comparison)
    assert receipt.alarms == ()
    assert receipt.is_prefix and receipt.difference["largest"] > receipt.difference["mean"] > 0
    assert receipt.prompt_hashes == dict.fromkeys(
        ("base", "tuned"), hash_ids(comparison.prompt.ids)
    ) and receipt.prompt_tokens == len(comparison.prompt.ids)
    assert receipt.adapters == {"base": None, "tuned": "mini-news"}
    assert receipt.reasons == {side: answer.reason for side, answer in comparison.answers.items()}
    assert receipt.data_fingerprint == engine.loaded.run["data_fingerprint"]


def test_difference_is_that_of_the_two_models_alone(engine):
    comparison = compare(engine)
    ids, model = torch.tensor([comparison.prompt.ids]), engine.loaded.model
    with torch.no_grad():
        tuned = model(input_ids=ids).logits[0, -1]
        with model.disable_adapter():
            base = model(input_ids=ids).logits[0, -1]
    assert comparison.difference["largest"] == pytest.approx((tuned - base).abs().max().item(), rel=1e-3)


def test_an_adapter_of_zeros_raises_the_alarm(engine):
    silent = copied(engine)
    for name, weight in silent.loaded.model.named_parameters():
        if "lora_B" in name:
            weight.data.zero_()
    assert write_receipt(silent, compare(silent)).alarms == (NO_DIFFERENCE,)


def test_a_base_side_that_has_the_adapter_on_raises_the_alarm(engine, monkeypatch):
    monkeypatch.setattr("newsft.inference.adapter_switch.BASE", "default")
    broken = copied(engine)
    receipt = write_receipt(broken, compare(broken))
    assert receipt.alarms == (NO_DIFFERENCE,) and receipt.adapters == {"base": "mini-news", "tuned": "mini-news"}


def test_sides_that_were_asked_different_things_raise_the_alarm(engine):
    comparison = compare(engine)
    asked = comparison.requests["tuned"]
    comparison.requests["tuned"] = replace(asked, prompt=asked.prompt[:-1])
    assert write_receipt(engine, comparison).alarms == (OTHER_IDS,)


def test_an_adapter_of_another_base_raises_the_alarm(engine):
    other = copied(engine, fingerprint="0" * 16)
    assert write_receipt(other, compare(other)).alarms == (OTHER_BASE,)


def test_hash_tells_ids_apart():
    assert hash_ids([1, 23]) != hash_ids([12, 3])
