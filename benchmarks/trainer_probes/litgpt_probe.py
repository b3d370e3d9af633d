"""LitGPT: the data set that its `JSON` data module makes, with the prompt style `llama3`. Its rows have one instruction and one output, no further turns."""

from litgpt.data.base import SFTDataset
from litgpt.prompts import Llama3
from litgpt.tokenizer import Tokenizer
from probe import AMPLE, answer, read_asked

ASKED = read_asked()
TOKENIZER = Tokenizer(ASKED["l3"])


def prepare(messages: list[dict], limit: int | None = None, *, mask_prompt: bool) -> dict:
    """The row; `mask_prompt` is the module's setting, False by default there."""
    system, user, output = (message["content"] for message in messages)
    data = [{"instruction": user, "sys_prompt": system, "output": output}]
    [row] = SFTDataset(data, TOKENIZER, Llama3(), max_seq_length=limit or -1, mask_prompt=mask_prompt)
    return {"ids": row["input_ids"].tolist(), "labels": row["labels"].tolist()}


def everything(messages: list[dict], limit: int | None) -> dict:
    """By default."""
    return prepare(messages, limit, mask_prompt=False)


def answers(messages: list[dict], limit: int | None) -> dict:
    """With `--data.mask_prompt true`."""
    return prepare(messages, limit, mask_prompt=True)


answer(
    {"litgpt": everything, "litgpt-mask": answers},
    {
        "litgpt": lambda: answers(ASKED["conversations"]["toy"], None),
        "litgpt-mask": lambda: answers(ASKED["conversations"]["long"], AMPLE),
    },
    limited=("litgpt", "litgpt-mask"),
    most_messages=3,
)
