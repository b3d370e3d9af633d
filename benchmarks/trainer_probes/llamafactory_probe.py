# ruff: noqa: E402 - the stand-in has to be there before LLaMA-Factory is imported
"""LLaMA-Factory: its supervised processor (`stage: sft`) with its template `llama3`, with none named, and with `split_special_tokens: true`."""

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

sys.modules["torchaudio"] = ModuleType("torchaudio")  # imported for sound alone
sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)

from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
from llamafactory.data.template import get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments
from probe import AMPLE, answer, read_asked
from transformers import AutoTokenizer

ASKED = read_asked()


def prepare(
    messages: list[dict], limit: int | None, *, template: str | None, tokenizer: str = "l3", split: bool = False
) -> dict:
    """The row, with the data set's columns as LLaMA-Factory's converter makes them."""
    loaded = AutoTokenizer.from_pretrained(ASKED[tokenizer], split_special_tokens=split, padding_side="right")
    settings = DataArguments(template=template, **({} if limit is None else {"cutoff_len": limit}))
    made = get_template_and_fix_tokenizer(loaded, settings)
    system, *turns = messages
    rows = SupervisedDatasetProcessor(made, loaded, None, settings).preprocess_dataset(
        {
            "_prompt": [turns[:-1]],
            "_response": [turns[-1:]],
            "_system": [system["content"]],
            "_tools": [""],
            "_images": [None],
            "_videos": [None],
            "_audios": [None],
        }
    )
    return {"ids": rows["input_ids"][0], "labels": rows["labels"][0]}


def named(messages: list[dict], limit: int | None) -> dict:
    """`template: llama3`."""
    return prepare(messages, limit, template="llama3")


def unnamed(messages: list[dict], limit: int | None) -> dict:
    """No `template`, a tokenizer with Llama 3.1's own."""
    return prepare(messages, limit, template=None, tokenizer="l31")


def split(messages: list[dict], limit: int | None) -> dict:
    """`split_special_tokens: true`."""
    return prepare(messages, limit, template="llama3", split=True)


answer(
    {"llamafactory": named, "llamafactory-unnamed": unnamed, "llamafactory-split": split},
    {
        "llamafactory": lambda: named(ASKED["conversations"]["long"], AMPLE),
        "llamafactory-unnamed": lambda: prepare(
            ASKED["conversations"]["toy"], None, template="llama3", tokenizer="l31"
        ),
        "llamafactory-split": lambda: named(ASKED["conversations"]["toy"], None),
    },
)
