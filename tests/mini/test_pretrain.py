import argparse
import copy
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch
from torch.optim import _muon

from newsft.mini import names, optimizers, pretrain
from newsft.mini.model import add_dropout, build_model, grow_model, widen_vocabulary
from newsft.mini.schedule import PHASES
from newsft.mini.stream import SEED
from newsft.mini.written import FOLDER
from tests.programs import ROOT


@pytest.fixture(scope="module")
def untrained(tokenizer):
    torch.manual_seed(0)
    return build_model(tokenizer).eval()


def test_untrained_model_copies_what_it_has_read_once(untrained, tokenizer):
    torch.manual_seed(1)
    syllables = torch.tensor(
        [tokenizer(syllable, add_special_tokens=False)["input_ids"][0] for syllable in names.NAME_SYLLABLES]
    )
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
        own, theirs = optimizers.orthogonalise(gradient, *settings), ORIGINAL(gradient, *settings)
        assert torch.nn.functional.cosine_similarity(own.flatten(), theirs.float().flatten(), dim=0) > 0.999
        singular = torch.linalg.svdvals(own)
        assert singular.min() > 0.5 and singular.max() < 1.5


ORIGINAL = _muon._zeropower_via_newtonschulz


def test_interrupted_training_ends_with_the_same_weights(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("newsft.mini.stream.CHUNK", 48)
    settings = vars(
        pretrain.parse_flags(
            [
                "--steps",
                "3",
                "--layers",
                "2",
                "--no-compile",
                "--save-minutes",
                "0",
                "--own",
                "0.5",
                "--batch-tokens",
                "2048",
            ]
        )
    )

    def train(work, **changed):
        return pretrain.train(
            tokenizer, argparse.Namespace(**settings | {"work": tmp_path / work, "first": 0} | changed)
        ).state_dict()

    whole = train("whole")
    train("cut", stop=1)
    assert torch.load(tmp_path / "cut" / "checkpoint.pt", weights_only=True)["step"] == 1
    resumed = train("cut")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    torch.manual_seed(SEED)
    assert any(
        (whole[name] != build_model(tokenizer, layers=2).state_dict()[name]).any() for name in whole if "mlp" in name
    )


def test_what_is_written_is_the_running_mean_of_the_weights_where_one_is_kept(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr("newsft.mini.stream.CHUNK", 48)
    flags = ["--steps", "3", "--layers", "2", "--no-compile", "--save-minutes", "0", "--batch-tokens", "2048"]

    def train(work, *more, **changed):
        settings = vars(pretrain.parse_flags([*flags, *more])) | {"work": tmp_path / work, "first": 0}
        return pretrain.train(tokenizer, argparse.Namespace(**settings | changed)).state_dict()

    def last(work):
        return torch.load(tmp_path / work / "checkpoint.pt", weights_only=True)["model"]

    kept = [train("plain", stop=step) for step in (1, 2, 3)]
    mean = train("mean", "--average", "0.75")
    name = "model.layers.0.mlp.up_proj.weight"
    first, second, third = (weights[name].clone() for weights in kept)
    assert torch.equal(last("mean")[name], last("plain")[name])  # the mean is beside the training, not in it
    assert torch.allclose(mean[name], 0.75 * (0.75 * first + 0.25 * second) + 0.25 * third, atol=1e-7)
    train("cut", "--average", "0.75", stop=2)
    resumed = train("cut", "--average", "0.75")
    assert all(torch.equal(mean[name], resumed[name]) for name in mean)


def test_dropout_acts_in_training_alone(tokenizer, untrained):
    model, ids = copy.deepcopy(untrained), torch.randint(0, len(tokenizer), (1, 20))
    add_dropout(model, 0.5)
    with torch.no_grad():
        plain = untrained(input_ids=ids).logits
        assert torch.equal(model.eval()(input_ids=ids).logits, plain)
        assert not torch.allclose(model.train()(input_ids=ids).logits, plain, atol=1e-3)


def test_signal_to_all_of_its_processes_ends_the_run_with_what_it_has(tmp_path):
    (tmp_path / "articles").mkdir()
    shutil.copy(FOLDER / "brief-01.jsonl", tmp_path / "articles")
    command = [sys.executable, "-m", "newsft.mini.pretrain", "--layers", "2", "--no-compile", "--save-minutes", "0"]
    command += ["--articles", tmp_path / "articles"]
    run = subprocess.Popen(
        [*command, "--work", tmp_path, "--output", tmp_path / "out"], start_new_session=True, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 240
    while not (tmp_path / "checkpoint.pt").exists() and run.poll() is None and time.monotonic() < until:
        time.sleep(0.2)
    os.killpg(run.pid, signal.SIGTERM)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said.decode()
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] >= 1


def test_wider_vocabulary_leaves_the_known_tokens_as_they_were(untrained, tokenizer):
    wider = copy.deepcopy(tokenizer)
    wider.add_tokens(["뷁", "똠"])
    ids = torch.randint(0, len(tokenizer), (1, 20))
    with torch.no_grad():
        before = untrained(input_ids=ids).logits
        grown = widen_vocabulary(copy.deepcopy(untrained), wider)
        assert torch.allclose(grown(input_ids=ids).logits[..., : len(tokenizer)], before, atol=1e-5)
    assert grown.config.vocab_size == len(wider) and grown.model.embed_tokens.weight[-1].std() > 0.5


def test_rate_rises_stays_and_falls_over_the_steps_or_over_the_time(tokenizer):
    settings = pretrain.parse_flags(
        ["--steps", "1000", "--layers", "2", "--no-compile", "--cool-down", "0.2", "--first", "0"]
    )
    run = pretrain.Run(tokenizer, settings, device="cpu")
    rates = {}
    for run.step in (0, 59, 500, 800, 900, 1000):
        rates[run.step] = run._rate()
    assert rates == pytest.approx({0: 1 / 60, 59: 1.0, 500: 1.0, 800: 1.0, 900: 0.5, 1000: 0.0})
    settings.minutes, run.step, run.begun = 10, 500, run.begun - 60 * 9
    assert run.progress() == pytest.approx(0.9, abs=0.01) and run._rate() == pytest.approx(0.5, abs=0.05)


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


def test_the_stretches_of_make_mini_follow_one_another():
    lines = re.findall(r"-m newsft\.mini\.pretrain (.*)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    stretches = [pretrain.parse_flags(line.split()) for line in lines]
    assert {stretch.phase for stretch in stretches} == set(PHASES)
    ends = [stretch.steps for stretch in stretches]
    assert ends == sorted(set(ends))  # one counts its steps on from the other, in one folder
    assert len({(stretch.work, stretch.output) for stretch in stretches}) == 1
    assert stretches[-1].cool_down and not stretches[-1].begin
