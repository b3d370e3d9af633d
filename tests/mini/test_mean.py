import pytest
import torch
from transformers import LlamaForCausalLM

from newsft.mini import mean
from newsft.mini.model import build_model


def _model(tokenizer, *, seed, layers=2):
    torch.manual_seed(seed)
    return build_model(tokenizer, layers=layers).eval()


def test_the_mean_weighs_each_model_by_its_share(tokenizer, tmp_path, capsys):
    for name, seed in (("one", 1), ("other", 2)):
        _model(tokenizer, seed=seed).save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    mean.main([str(tmp_path / "one"), f"{tmp_path / 'other'}=3", "--output", str(tmp_path / "mean")])
    assert "the mean of 2 models" in capsys.readouterr().out
    one, other, between = (
        LlamaForCausalLM.from_pretrained(tmp_path / name).state_dict() for name in ("one", "other", "mean")
    )
    for name, weight in between.items():
        assert torch.allclose(weight, 0.25 * one[name] + 0.75 * other[name], atol=1e-7), name
    assert not torch.equal(one["lm_head.weight"], other["lm_head.weight"])
    assert (tmp_path / "mean" / "tokenizer.json").read_bytes() == (tmp_path / "one" / "tokenizer.json").read_bytes()


def test_a_mean_of_unlike_models_and_a_share_of_nothing_are_refused(tokenizer, tmp_path, capsys):
    small, large = _model(tokenizer, seed=1), _model(tokenizer, seed=1, layers=3)
    with pytest.raises(ValueError, match="not of one shape"):
        mean.mean_model([small, large], [1, 1])
    with pytest.raises(ValueError, match="above zero"):
        mean.mean_model([small, small], [1, 0])
    for given, said in (("work/m=much", "behind the = belongs a share"), (str(tmp_path / "none"), "none")):
        with pytest.raises(SystemExit):
            mean.main([given, "--output", str(tmp_path / "out")])
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
