"""The Llama 3 tokenizer, VARCO's id for id, without a hub: converted from the file that llama-models ships, and kept.

The special tokens' order is the one of llama_models/llama3/tokenizer.py; the ids begin at 128,000.
"""

import importlib.util
import tempfile
import threading
from functools import cache
from pathlib import Path

from platformdirs import user_cache_path
from transformers import PreTrainedTokenizerFast

from newsft.encoding.chat import ChatFormat

CACHE = "llama3-tokenizer-1"  # the number changes with what is written there
CONTROL_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|step_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
    "<|image|>",
    *(f"<|reserved_special_token_{number}|>" for number in range(2, 246)),
)
TURN = (
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
)
HEADER = "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
TURNS = "{% for message in messages %}{% if loop.first %}{{ bos_token }}{% endif %}" + TURN + "{% endfor %}"
TEMPLATE = TURNS + "{% if add_generation_prompt %}" + HEADER + "{% endif %}"
VARCO_TEMPLATE = TURNS + HEADER  # appends the answer's header whether or not it is asked for
_LOADING = threading.Lock()  # `cache` alone would let threads that ask before there is a result load one each
VARCO_PAD = "!"  # id 0, an ordinary token


def llama3_chat() -> ChatFormat:
    """Tokenizer and template, one for all threads: from the user's cache directory in a third of a second, the first time converted, in about 3 s, and put there."""
    with _LOADING:
        return _load_chat()


def load_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer alone, read or converted anew by every call."""
    folder = user_cache_path("newsft") / CACHE
    if (folder / "tokenizer.json").exists():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    tokenizer = convert_tokenizer()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=folder.parent
        ) as temporary:  # renamed when whole: two processes may convert at once
            tokenizer.save_pretrained(temporary)
            Path(temporary).chmod(0o755)
            Path(temporary).rename(folder)
            Path(temporary).mkdir()
    except OSError:  # no home to write to, or another process was first: the tokenizer is there all the same
        pass
    return tokenizer


def convert_tokenizer() -> PreTrainedTokenizerFast:
    """The fast tokenizer from the tiktoken file, with Llama 3's own template and VARCO's pad token."""
    from transformers.convert_slow_tokenizer import TikTokenConverter

    converter = TikTokenConverter(str(tiktoken_file()), extra_special_tokens=list(CONTROL_TOKENS))
    return PreTrainedTokenizerFast(
        tokenizer_object=converter.converted(),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token=VARCO_PAD,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def tiktoken_file() -> Path:
    """The vocabulary that llama-models ships."""
    # Not imported: the package's __init__ files load torch models, which the tokenizer needs nothing of.
    return Path(importlib.util.find_spec("llama_models").submodule_search_locations[0]) / "llama3" / "tokenizer.model"


_load_chat = cache(lambda: ChatFormat(load_tokenizer()))
