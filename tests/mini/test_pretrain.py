import argparse
import random
from dataclasses import replace

import pytest
import torch
from torch.optim import _muon

from newsft.encoding import chat
from newsft.mini import names, pretrain, schedule, stream
from newsft.mini.auxiliary import NO_LABEL, AuxiliaryHead, label_tokens
from newsft.mini.model import build_model, grow_model
from newsft.mini.schedule import Phase
from newsft.mini.stream import Stream
from newsft.mini.tasks import draw_decisions


@pytest.fixture(scope="module")
def untrained(tokenizer):
    torch.manual_seed(0)
    return build_model(tokenizer).eval()


def test_untrained_model_copies_what_it_has_read_once(untrained, tokenizer):
    torch.manual_seed(1)
    syllables = torch.tensor([tokenizer(syllable, add_special_tokens=False)["input_ids"][0] for syllable in names.NAME_SYLLABLES])
    told = syllables[torch.randperm(len(syllables))[:20]]
    ids = torch.cat([torch.tensor([tokenizer.bos_token_id]), told, told])
    with torch.no_grad():
        guessed = untrained(input_ids=ids[None]).logits[0].argmax(-1)
    again = slice(22, None)  # from the second token of the repetition on
    assert (guessed[21:-1] == ids[again]).float().mean() > 0.8
    assert (guessed[1:20] == ids[2:21]).float().mean() < 0.2  # at the first reading there is nothing to copy


def test_heads_beside_the_two_start_at_random(untrained):
    first = untrained.model.layers[0].self_attn
    assert first.q_proj.weight[64:].std().item() == pytest.approx(0.03, rel=0.05)
    assert not first.o_proj.weight[:, 64:].any() and not untrained.model.layers[2].self_attn.o_proj.weight.any()


def test_fp32_iteration_orthogonalises_as_torchs_own_does():
    torch.manual_seed(0)
    for shape in ((64, 192), (192, 64)):
        gradient = torch.randn(shape)
        settings = ((3.4445, -4.7750, 2.0315), 5, 1e-7)
        own, theirs = pretrain.orthogonalise(gradient, *settings), ORIGINAL(gradient, *settings)
        assert torch.nn.functional.cosine_similarity(own.flatten(), theirs.float().flatten(), dim=0) > 0.999
        singular = torch.linalg.svdvals(own)
        assert singular.min() > 0.5 and singular.max() < 1.5


ORIGINAL = _muon._zeropower_via_newtonschulz


@pytest.mark.parametrize("answer, decisive", [("{'positive_impact_stocks': ['가나']}", " ['"), ("{'positive_impact_stocks': []}", " []}"), ("{'summary': None}", " "), ("부정적입니다.", "부")])
def test_token_that_decides_an_answer_weighs_most(tokenizer, answer, decisive):
    encoded = chat.encode_row(tokenizer, [{"role": "user", "content": "기사"}, {"role": "assistant", "content": answer}])
    weights = stream._weigh(encoded, Phase(1, lambda rng: [], read=0.25, told=1, decided=7))
    heavy = [tokenizer.decode([token]) for token, weight in zip(encoded.input_ids, weights, strict=True) if weight == 7]
    assert decisive in heavy
    assert heavy[0] == tokenizer.decode(next(token for token, origin in zip(encoded.input_ids, encoded.origins, strict=True) if origin == "answer"))
    assert len(heavy) < 5
    assert {weight for weight, origin in zip(weights, encoded.origins, strict=True) if origin == "template" and weight not in (1, 7)} == {0}
    assert {weight for weight, origin in zip(weights, encoded.origins, strict=True) if origin == "user"} == {0.25}


def test_documents_of_a_step_depend_on_the_step_alone(tokenizer):
    def draw(step):
        return Stream(tokenizer, steps=20, tokens=600, micro_tokens=500)[step]

    first, again = draw(7), draw(7)
    assert all(torch.equal(a, b) for one, other in zip(first, again, strict=True) for a, b in zip(one, other, strict=True))
    assert not torch.equal(first[0].ids, draw(8)[0].ids)
    assert sum(int((batch.ids != tokenizer.pad_token_id).sum()) for batch in first) >= 600


def test_joined_conversations_have_the_losses_of_single_ones(untrained, tokenizer):
    rng, phase = random.Random(5), Phase(1, lambda rng: [], read=0.25, told=1, decided=7)
    conversations = next(drawn for drawn in iter(lambda: draw_decisions(rng, lists=0.5), None) if len(drawn) == 4)
    rows = [chat.encode_row(tokenizer, conversation.messages) for conversation in conversations]

    def loss(rows, read):
        weights = [stream._weigh(row, replace(phase, read=read)) for row in rows]
        document = stream._join(rows, weights, [[NO_LABEL] * len(row) for row in rows])
        with torch.no_grad():
            return len(document.ids), pretrain.step_loss(untrained, stream._collate([document], tokenizer.pad_token_id))[0].item()

    joined, single = loss(rows, 0), [loss([row], 0) for row in rows]
    assert joined[1] == pytest.approx(sum(value for _, value in single), rel=1e-5)
    assert joined[0] < 0.6 * sum(length for length, _ in single)
    assert loss(rows, 0.25)[1] < sum(loss([row], 0.25)[1] for row in rows)  # the article is read once


def test_interrupted_training_ends_with_the_same_weights(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain, "exact_companies", lambda model, tokenizer: 0.0)
    phases = [
        Phase(2, lambda rng: draw_decisions(rng, lists=0.5), read=0.1, told=1, decided=2, layers=4),
        Phase(9, lambda rng: draw_decisions(rng, lists=0.5), read=0.1, told=1, decided=2, layers=5, auxiliary=1),
    ]
    monkeypatch.setattr(schedule, "PHASES", phases)
    settings = {"width": 256, "steps": 4, "tokens": 300, "micro_tokens": 500, "check_every": 1}

    def train(work):
        return pretrain.train(tokenizer, argparse.Namespace(work=tmp_path / work, **settings)).state_dict()

    whole, saved = train("whole"), []

    def interrupting(path, state, save=pretrain._save):
        save(path, state)
        saved.append(state["step"])
        if saved == [1, 2]:
            raise KeyboardInterrupt

    monkeypatch.setattr(pretrain, "_save", interrupting)
    with pytest.raises(KeyboardInterrupt):
        train("cut")
    resumed = train("cut")
    assert saved == [1, 2, 3, 4]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert any((whole[name] != build_model(tokenizer, layers=5).state_dict()[name]).any() for name in whole if "mlp" in name)


def test_grown_model_computes_the_same_until_it_is_trained(tokenizer):
    torch.manual_seed(2)
    model = build_model(tokenizer, layers=4).eval()
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.05)
    grown = grow_model(model, tokenizer, layers=6).eval()
    ids = torch.randint(0, len(tokenizer), (2, 30))
    with torch.no_grad():
        assert torch.allclose(grown(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-5)
    assert len(grown.model.layers) == 6


def test_auxiliary_labels_follow_the_company_named_last(tokenizer):
    def ids_of(text):
        return tokenizer(text, add_special_tokens=False)["input_ids"]

    text = "시장이 열렸다. 가온미르가 이겼고 나래솔은 졌다. 가온미르는 웃었다."
    encoded = chat.encode_row(tokenizer, [{"role": "user", "content": text}, {"role": "assistant", "content": "가온미르입니다."}])
    labels = label_tokens(encoded, {"가온미르": "+", "나래솔": "-"}, ids_of)
    won, lost = (ids_of("가온미르")[0], 0), (ids_of("나래솔")[0], 1)

    def at(words):
        start = encoded.text.index(words)
        return {label for label, (first, end) in zip(labels, encoded.spans, strict=True) if first >= start and end <= start + len(words)}

    assert at("시장이 열렸다. 가온") == {NO_LABEL}
    assert at("가 이겼고") == at("는 웃었다.") == {won}
    assert at("은 졌다.") == {lost}
    assert {label for label, origin in zip(labels, encoded.origins, strict=True) if origin != "user"} == {NO_LABEL}


def test_auxiliary_loss_teaches_the_layers_below_it(untrained, tokenizer):
    torch.manual_seed(3)
    ids = torch.randint(0, len(tokenizer), (2, 20))
    labels = torch.full((2, 20, 2), -100)
    labels[0, 5:15] = torch.tensor([17, 1])
    head = AuxiliaryHead(256)
    states = untrained.model(input_ids=ids, output_hidden_states=True).hidden_states
    loss = head(untrained, states, labels)
    assert loss.item() == pytest.approx(torch.tensor([len(tokenizer), 3.0]).log().sum().item(), rel=0.3)  # as good as a guess
    gradients = torch.autograd.grad(loss, [untrained.model.layers[2].self_attn.o_proj.weight, untrained.model.layers[3].mlp.down_proj.weight])
    assert all(gradient.abs().sum() > 0 for gradient in gradients)
    assert head(untrained, states, torch.full((2, 20, 2), -100)).item() == 0
