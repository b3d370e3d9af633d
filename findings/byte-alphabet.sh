#!/usr/bin/env bash
# tokenizers 0.23.3: a byte-level BPE trained without an initial alphabet has only the bytes that it saw, and drops every other without a word: "9,876억" becomes ",억".
# Hurts whoever trains a small tokenizer on a Korean sample: figures and syllables vanish from unseen articles, with no unknown token to notice it by.
# Instead: BpeTrainer(initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), and decode(encode(text)) == text as a test on articles that were not trained on.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check tokenizers==0.23.3 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SEEN = ["해담전자는 매출 2,305억 원을 올렸다.", "가온은행은 금리를 1.4%로 내렸다."]
UNSEEN = ["매출 2,305억", "매출 9,876억", "매출 2,785억", "뚫샾 매출"]


def train(alphabet):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(SEEN, trainers.BpeTrainer(vocab_size=400, show_progress=False, initial_alphabet=alphabet))
    return tokenizer


def there_and_back(tokenizer):
    return [tokenizer.decode(tokenizer.encode(text).ids) for text in UNSEEN]


print("tokenizers", tokenizers.__version__)
bare, whole = there_and_back(train([])), there_and_back(train(pre_tokenizers.ByteLevel.alphabet()))
for text, lost, kept in zip(UNSEEN, bare, whole, strict=True):
    print(f"{text!r}: default {lost!r}, with the alphabet {kept!r}")
described = bare[:3] == ["매출 2,305억", "매출 ,억", "매출 2,5억"] and bare[3] != UNSEEN[3] and whole == UNSEEN
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
