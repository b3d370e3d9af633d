"""Axolotl: its strategy `chat_template` (`type: chat_template`, the tokenizer's own template) and what it then does with long rows."""

from axolotl.prompt_strategies.chat_template import load
from axolotl.utils.data.utils import handle_long_seq_in_dataset
from axolotl.utils.dict import DictDefault
from axolotl.utils.schemas.config import AxolotlInputConfig
from datasets import Dataset
from probe import AMPLE, answer, read_asked
from transformers import AutoTokenizer

ASKED = read_asked()
DEFAULT = AxolotlInputConfig.model_fields["sequence_len"].default


def prepare(messages: list[dict], limit: int | None, **settings) -> dict | None:
    """The row, or None where it is dropped."""
    config = DictDefault({"sequence_len": limit or DEFAULT, "train_on_inputs": False, **settings})
    data = DictDefault({"type": "chat_template", "field_messages": "messages", "chat_template": "tokenizer_default"})
    strategy = load(AutoTokenizer.from_pretrained(ASKED["l3"]), config, data)
    rows = Dataset.from_list([dict(strategy.tokenize_prompt({"messages": messages}))])
    kept = handle_long_seq_in_dataset(rows, config.sequence_len, config)
    return {"ids": kept[0]["input_ids"], "labels": kept[0]["labels"]} if len(kept) else None


def answers(messages: list[dict], limit: int | None) -> dict | None:
    """By default."""
    return prepare(messages, limit)


def inputs(messages: list[dict], limit: int | None) -> dict | None:
    """With `train_on_inputs: true`."""
    return prepare(messages, limit, train_on_inputs=True)


answer(
    {"axolotl": answers, "axolotl-inputs": inputs},
    {
        "axolotl": lambda: prepare(ASKED["conversations"]["long"], AMPLE, excess_length_strategy="raise"),
        "axolotl-inputs": lambda: answers(ASKED["conversations"]["toy"], None),
    },
)
