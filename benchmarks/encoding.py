"""Encoding and labelling the 991 embedded rows against a bare encode_batch of the same text, and against what the lesson does at every step of its training.

python -m benchmarks.encoding

That is a collate function: it encodes the rows of a batch one by one and searches their ids for the answer's header. Here with the template's own header,
so that it finds it. Our rows are encoded once, before the training.
"""

import statistics
import time
from collections.abc import Callable, Sequence

from transformers import PreTrainedTokenizerBase

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.data.messages import row_messages
from newsft.data.rows import load_rows
from newsft.encoding.chat import ChatFormat
from newsft.encoding.collate import collate
from newsft.encoding.llama3 import llama3_chat
from newsft.encoding.template import answer_header
from newsft.lessons.faults import search_labels
from newsft.models.load import load_chat
from newsft.paths import ASSETS
from newsft.recipe import RECIPES


def collate_by_search(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], header: Sequence[int], end: int
) -> dict:
    """A batch as the lesson makes it: encoded row by row, labels searched for in the ids."""
    columns = []
    for text in texts:
        encoded = dict(tokenizer(text, add_special_tokens=False))
        columns.append(encoded | {"labels": search_labels(encoded["input_ids"], header, end)})
    return collate(columns, pad_id=tokenizer.pad_token_id)


def time_once(function: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.perf_counter()
    function()
    return time.perf_counter() - begun


def measure(chat: ChatFormat, conversations: list[list[dict]], count: int) -> dict:
    """The medians of `count` alternating runs."""
    tokenizer, rows = chat.tokenizer, chat.encode_rows(conversations)
    texts = [row.text for row in rows]
    header = tokenizer(answer_header(chat, conversations[0]), add_special_tokens=False)["input_ids"]
    end = tokenizer.convert_tokens_to_ids("<|eot_id|>")
    size = RECIPES["varco"].batch_size
    batches = [texts[first : first + size] for first in range(0, len(texts), size)]
    ways = {
        "ours": lambda: chat.encode_rows(conversations),
        "encode_batch": lambda: tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False),
        "collate": lambda: [collate_by_search(tokenizer, batch, header, end) for batch in batches],
    }
    runs = [{name: time_once(way) for name, way in ways.items()} for _ in range(count)]
    found = {f"{name}_s": round(statistics.median(run[name] for run in runs), 3) for name in ways}
    return found | {
        f"speed_of_{name}": round(statistics.median(run[name] / run["ours"] for run in runs), 2)
        for name in ("encode_batch", "collate")
    }


def main() -> None:
    """Print the figures and, last, one JSON line."""
    parser = Flags(__doc__, runs=1)
    parser.add_argument(
        "--runs", type=int, default=7, help="how many, of which the median counts (default: %(default)s)"
    )
    arguments = parser.parse_args()
    conversations = [row_messages(row) for row in load_rows(str(ASSETS / "news.jsonl"))]
    print_result(
        {"runs": arguments.runs}
        | {
            name: measure(chat, conversations, arguments.runs)
            for name, chat in (("llama3", llama3_chat()), ("mini", load_chat(ASSETS / "mini")))
        }
    )


if __name__ == "__main__":
    main()
