import pytest
import torch

from newsft.mini import own_words
from newsft.mini.model import build_model
from newsft.mini.own_words import plain_tokens, read_own_words


@pytest.fixture(scope="module")
def untrained(tokenizer):
    torch.manual_seed(0)
    return build_model(tokenizer).eval()


@pytest.fixture(scope="module")
def plain(tokenizer):
    return plain_tokens(tokenizer)


@pytest.fixture
def ids(tokenizer):
    text = "{'positive_keywords': ['수주', '공급계약'], 'summary': '회사가 대규모 공급계약을 따냈습니다.'}"
    return torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]] * 8)


def read(model, ids, told, plain, *, most=1.0, seed=0, run=1):
    return read_own_words(model, ids, told, plain, generator=torch.Generator().manual_seed(seed), most=most, run=run)


def test_words_are_plain_and_marks_are_not(tokenizer, plain):
    def is_plain(text):
        return [bool(plain[token]) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]

    assert all(is_plain("회사가") + is_plain("따냈습니다."))
    assert not any(is_plain("['") + is_plain("',") + is_plain("']") + is_plain("\n") + is_plain(" ") + is_plain("```"))
    assert not plain[tokenizer.eos_token_id]
    assert plain.float().mean() > 0.8


def test_only_told_plain_tokens_are_replaced_and_by_what_the_model_says(untrained, plain, ids):
    told = torch.zeros_like(ids, dtype=torch.bool)
    told[:, ids.shape[1] // 2 :] = True
    replaced = read(untrained, ids, told, plain)
    changed = replaced != ids
    assert changed.any()
    assert not (changed & ~(told & plain[ids])).any()
    assert plain[replaced[changed]].all()
    with torch.no_grad():
        own = untrained(input_ids=ids).logits[:, :-1].argmax(-1)
    assert torch.equal(replaced[:, 1:][changed[:, 1:]], own[changed[:, 1:]])


def test_shares_differ_by_document_and_the_generator_decides(untrained, plain, ids):
    told = torch.ones_like(ids, dtype=torch.bool)
    replaced = read(untrained, ids, told, plain)
    assert len({int(count) for count in (replaced != ids).sum(1)}) > 1
    assert torch.equal(replaced, read(untrained, ids, told, plain))
    assert not torch.equal(replaced, read(untrained, ids, told, plain, seed=1))
    assert torch.equal(ids, read(untrained, ids, told, plain, most=0.0))


def test_a_first_token_stays_as_nothing_predicts_it(untrained, plain, ids):
    told = torch.zeros_like(ids, dtype=torch.bool)
    told[:, 0] = True
    assert torch.equal(read(untrained, ids, told, torch.ones_like(plain)), ids)


def test_in_a_run_own_words_follow_own_words(untrained, plain, ids):
    every = torch.ones_like(plain)
    told = torch.ones_like(ids, dtype=torch.bool)
    told[:, :2] = False
    told[:, 4:] = False  # the third and the fourth token are replaced
    replaced = read(untrained, ids.repeat(8, 1), told.repeat(8, 1), every, run=64)
    whole = replaced[(replaced[:, 2:4] != ids[0, 2:4]).all(1)]
    assert len(whole), "no run held both tokens"
    with torch.no_grad():
        generated = untrained.generate(ids[:1, :2], max_new_tokens=2, do_sample=False, eos_token_id=None)
    assert (whole[:, :4] == generated).all(1).any()


@pytest.mark.parametrize("longest", [1, 8])
def test_drawn_runs_have_their_lengths_and_their_share(longest):
    drawn = own_words._draw_runs(
        torch.Size((400, 240)), most=0.4, longest=longest, generator=torch.Generator().manual_seed(1)
    )
    assert drawn.shape == (400, 240)
    assert drawn.float().mean().item() == pytest.approx(0.2, abs=0.02)
    assert drawn.float().mean(1).max() < 0.65
    changes = (drawn[:, 1:] != drawn[:, :-1]).float().mean(1)
    assert (changes.mean() < 0.15) == (longest > 1)
