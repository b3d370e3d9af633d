#!/usr/bin/env bash
# tiktoken 0.14.0 beside tokenizers 0.23.3: tiktoken encodes only what `pat_str` matches and drops the rest; the same pattern in a tokenizers Split keeps the rest as pieces of its own. "-3.5%, 3~4%" comes back as "35 34".
# Hurts whoever carries a pre-tokenizer over (say one that sets each Hangul syllable apart) or writes a small one: all 256 bytes are in the vocabulary, nothing raises, and signs, points and ranges are missing from figures.
# Instead: end pat_str with a branch for everything else (`|.` behind `\s+`), and test decode(encode(text)) == text on news with figures.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tiktoken==0.14.0 tokenizers==0.23.3 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

PATTERN = r"[가-힣]|[A-Za-z]+|\p{N}{1,3}|\s+"
TEXTS = ["해담전자 -3.5%, 이익 3~4%", "코드 012345", "매출 2,785억(2조500억원)"]
LOST = ["해담전자 35 이익 34", "코드 012345", "매출 2785억2조500억원"]


def in_tiktoken(pattern):
    encoding = tiktoken.Encoding("bytes", pat_str=pattern, mergeable_ranks={bytes([byte]): byte for byte in range(256)}, special_tokens={})
    return [encoding.decode(encoding.encode(text)) for text in TEXTS]


def in_tokenizers(pattern):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    return [tokenizer.decode(tokenizer.encode(text).ids) for text in TEXTS]


print("tiktoken", version("tiktoken"), "| tokenizers", version("tokenizers"), "| pattern", PATTERN)
lossy, kept, repaired = in_tiktoken(PATTERN), in_tokenizers(PATTERN), in_tiktoken(PATTERN + "|.")
for text, *others in zip(TEXTS, lossy, kept, repaired, strict=True):
    print(f"{text!r}: tiktoken {others[0]!r}, tokenizers {others[1]!r}, tiktoken with '|.' {others[2]!r}")
described = lossy == LOST and kept == repaired == TEXTS
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
