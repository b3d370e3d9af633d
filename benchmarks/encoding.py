"""Encoding and labelling the 991 embedded rows against a bare encode_batch of the same text, with the Llama 3 tokenizer and the miniature's.

python -m benchmarks.encoding
"""

import statistics
import time

from transformers import AutoTokenizer

from benchmarks.result import print_result
from newsft import chat, data, llama3
from newsft.recipe import ASSETS

RUNS = 7


def main() -> None:
    """Print the medians of alternating runs and, last, one JSON line."""
    conversations = [data.row_messages(row) for row in data.load_rows(str(ASSETS / "news.jsonl"))]
    results = {}
    for name, tokenizer in (("llama3", llama3.load_tokenizer()), ("mini", AutoTokenizer.from_pretrained(ASSETS / "mini"))):
        texts = [one.text for one in chat.encode_rows(tokenizer, conversations)]
        ours, bare = [], []
        for _ in range(RUNS):
            begun = time.perf_counter()
            chat.encode_rows(tokenizer, conversations)
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False)
            bare.append(time.perf_counter() - begun)
        ratio = statistics.median(b / o for o, b in zip(ours, bare, strict=True))
        results[name] = {"ours_s": round(statistics.median(ours), 3), "encode_batch_s": round(statistics.median(bare), 3), "speed_ratio": round(ratio, 2)}
    print_result(results)


if __name__ == "__main__":
    main()
