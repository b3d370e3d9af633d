"""torchtune: its `chat_dataset` with its own Llama 3 tokenizer, rows from a JSON file."""

import json
import tempfile
from pathlib import Path

from probe import answer, read_asked
from torchtune.datasets import chat_dataset
from torchtune.models.llama3 import llama3_tokenizer

ASKED = read_asked()


def prepare(messages: list[dict], limit: int | None) -> dict:
    """The row."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.json"
        file.write_text(json.dumps([{"messages": messages}]), encoding="utf-8")
        [row] = chat_dataset(
            llama3_tokenizer(ASKED["tiktoken"], max_seq_len=limit),
            source="json",
            data_files=str(file),
            conversation_column="messages",
            conversation_style="openai",
            cache_dir=folder,
        )
    return {"ids": [int(token) for token in row["tokens"]], "labels": [int(label) for label in row["labels"]]}


answer({"torchtune": prepare}, {}, limited=("torchtune",))
