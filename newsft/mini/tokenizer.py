"""The miniature's tokenizer: byte-level BPE with Llama 3's pre-tokenizer pattern, control-token names and chat template.

python -m newsft.mini.tokenizer       writes the tokenizer's files to assets/mini/
"""

import argparse
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from newsft.mini.corpus import split_articles
from newsft.mini.exercises import draw_conversation
from newsft.mini.keywords import Keywords
from newsft.mini.names import SYLLABLES, draw_company
from newsft.mini.written import Written, read_written, vary
from newsft.paths import ASSETS

ASSET = ASSETS / "mini"
VOCABULARY = 4096
MODEL_MAX_LENGTH = 4096
# Llama 3's pattern (llama_models/llama3/tokenizer.py). Unlike GPT-2's it cuts line breaks the same way before `{` and at
# the end of a prompt, so that the prompt is an id-prefix of the training row.
LLAMA3_PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CONTROL_TOKENS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|reserved_special_token_2|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
]
CHAT_TEMPLATE = (
    "{{- bos_token }}"
    "{%- for message in messages %}"
    "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)


def _training_texts(articles: Sequence[Written], *, seed: int, documents: int) -> Iterator[str]:
    rng, keywords = random.Random(seed), Keywords(articles)
    for _ in range(documents):
        varied = vary(rng, rng.choice(articles), invent=draw_company)
        for message in draw_conversation(rng, varied, keywords, judged=0.5, objects=0.5, slips=0.0).messages:
            # Digits and capital letters stay single tokens: numbers and Latin names are then copied sign by sign.
            yield re.sub(r"[0-9A-Z]+", "", message["content"])
    for _ in range(40):  # every common syllable becomes one token, whether or not the articles use it
        yield " ".join(SYLLABLES)
    yield "·…“”‘’▲△▼→㎡~∼%$&()[]{}<>:;'\"!?/+-=*#@_|㈜◇■□○● " * 40


def build_tokenizer(articles: Sequence[Written], *, seed: int = 7, documents: int = 4000) -> PreTrainedTokenizerFast:
    """A tokenizer trained on the base model's own kind of documents."""
    core = Tokenizer(models.BPE(byte_fallback=False))
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_PATTERN), "isolated"),
            # A Hangul name is then the same tokens after a space, after a quotation mark and before a particle: only so
            # does a model of a few million parameters learn to copy it.
            pre_tokenizers.Split(Regex("[가-힣]"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_training_texts(articles, seed=seed, documents=documents), trainer)
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|finetune_right_pad_id|>",
        chat_template=CHAT_TEMPLATE,
        model_max_length=MODEL_MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    )


def main() -> None:
    """Train the tokenizer and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ASSET)
    arguments = parser.parse_args()
    tokenizer = build_tokenizer(split_articles(read_written())["base"])
    tokenizer.save_pretrained(arguments.output)
    whole = sum(len(tokenizer.encode(syllable, add_special_tokens=False)) == 1 for syllable in SYLLABLES)
    print(f"{len(tokenizer)} tokens, {whole} of {len(SYLLABLES)} syllables whole -> {arguments.output}")


if __name__ == "__main__":
    main()
