"""The mean of models' weights, number by number: between the ends of two stretches often stands a model that can do what both learnt.

python -m newsft.mini.mean --output work/mean assets/mini work/sides=2        one third of the first, two thirds of the second
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaForCausalLM

from newsft.mini.model import write_model


def mean_model(models: Sequence[LlamaForCausalLM], shares: Sequence[float]) -> LlamaForCausalLM:
    """A model of the weights' mean, each model with its share (any positive numbers); the first model is changed and given back.

    Raises ValueError where the models are not of one shape, or a share is not above zero.
    """
    if min(shares) <= 0:
        raise ValueError(f"a share is a number above zero, not {min(shares)}")
    states = [model.state_dict() for model in models]
    if any(
        {name: w.shape for name, w in s.items()} != {name: w.shape for name, w in states[0].items()} for s in states
    ):
        raise ValueError("the models are not of one shape: a mean needs stretches of the same model")
    with torch.no_grad():
        for name, weight in states[0].items():
            total = sum(state[name].double() * share for state, share in zip(states, shares, strict=True))
            weight.copy_(total / sum(shares))
    return models[0]


def _read_share(given: str) -> tuple[Path, float]:
    """`folder` or `folder=share`."""
    folder, _, share = given.rpartition("=") if "=" in given else (given, "", "1")
    try:
        return Path(folder), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{given}: behind the = belongs a share, as in work/sides=2") from None


def main(given: Sequence[str] | None = None) -> None:
    """Read the models, write their mean with the first one's tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=_read_share, metavar="MODEL[=SHARE]", help="a model's folder")
    parser.add_argument("--output", type=Path, required=True, help="folder that gets the model and its tokenizer")
    arguments = parser.parse_args(given)
    folders, shares = zip(*arguments.models, strict=True)
    try:
        model = mean_model([LlamaForCausalLM.from_pretrained(folder) for folder in folders], shares)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    write_model(arguments.output, model, AutoTokenizer.from_pretrained(folders[0]))
    print(f"the mean of {len(folders)} models -> {arguments.output}")


if __name__ == "__main__":
    main()
