"""unsloth: its preparation for GPUs, called as a plain function, and its flow on a CPU; both with rendered text and `train_on_responses_only`."""

import tempfile
from types import SimpleNamespace

import unsloth
from datasets import Dataset
from probe import AMPLE, answer, read_asked
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer
from unsloth_zoo.dataset_utils import sft_prepare_dataset, train_on_responses_only

ASKED = read_asked()
PARTS = {
    f"{name}_part": f"<|start_header_id|>{role}<|end_header_id|>\n\n"
    for name, role in (("instruction", "user"), ("response", "assistant"))
}


def render(tokenizer: object, messages: list[dict]) -> Dataset:
    """A data set of one row, its text rendered as unsloth's notebooks do."""
    return Dataset.from_list([{"text": tokenizer.apply_chat_template(messages, tokenize=False)}])


def on_gpu(messages: list[dict], limit: int | None) -> dict:
    """The row of the preparation for GPUs; `max_seq_length` has to be given there."""
    tokenizer = AutoTokenizer.from_pretrained(ASKED["l3"])
    settings = SimpleNamespace(max_length=limit or AMPLE, dataset_text_field="text", dataset_num_proc=1)
    rows = sft_prepare_dataset(
        SimpleNamespace(), render(tokenizer, messages), tokenizer, settings, False, None, "train"
    )
    label = train_on_responses_only(None, **PARTS, tokenizer=tokenizer, return_function=True)
    ids = rows[0]["input_ids"]
    return {"ids": ids, "labels": list(label({"input_ids": [ids]})["labels"][0])}


def on_cpu(messages: list[dict], limit: int | None, *, bos: bool = True) -> dict | None:
    """The row of the flow on a CPU, the model loaded with `max_seq_length` 2048; None where it is taken out."""
    model, tokenizer = unsloth.FastLanguageModel.from_pretrained(
        ASKED["model"], max_seq_length=2048, load_in_4bit=False
    )
    data = render(tokenizer, messages)
    if not bos:
        data = data.map(lambda row: {"text": row["text"].removeprefix(tokenizer.bos_token)})
    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(output_dir=folder, report_to=[], dataset_text_field="text")
        trainer = SFTTrainer(model, settings, train_dataset=data, processing_class=tokenizer)
        rows = train_on_responses_only(trainer, **PARTS).train_dataset
    return {"ids": list(rows[0]["input_ids"]), "labels": list(rows[0]["labels"])} if len(rows) else None


answer(
    {"unsloth": on_gpu, "unsloth-cpu": on_cpu},
    {
        "unsloth": lambda: on_gpu(ASKED["conversations"]["long"], AMPLE),
        "unsloth-cpu": lambda: on_cpu(ASKED["conversations"]["toy"], None, bos=False),
    },
    limited=("unsloth",),
)
