#!/usr/bin/env bash
# llguidance 1.9.1 beside pydantic 2.14.4: one pattern, two alphabets. `pattern=r"^[\w ()&.-]+$"` in a pydantic model accepts 가온은행; the grammar that llguidance builds from that model's JSON schema reads \w as ECMAScript does, A to Z, digits and _ alone, and refuses every Hangul syllable.
# Hurts whoever lets a server force answers (guided decoding) by the schema of the model that checks them: a company can only be named in Latin letters, and what comes out passes the check.
# Instead: write classes out, as in ^[가-힣A-Za-z0-9 ()&.-]+$, and run the gold answers through the grammar once before it is used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check llguidance==1.9.1 pydantic==2.14.4 tokenizers==0.23.3 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from typing import Annotated

from llguidance import LLMatcher, LLTokenizer
from pydantic import StringConstraints, TypeAdapter, ValidationError
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

letters = sorted(pre_tokenizers.ByteLevel.alphabet())  # a token a byte: any text can be written
tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
tokenizer.decoder = decoders.ByteLevel()
tokenizer.add_special_tokens(["<eos>"])
allowed = LLTokenizer(tokenizer.to_str(), eos_token=tokenizer.token_to_id("<eos>"))


def checks(kind, name):
    try:
        kind.validate_python(name)
    except ValidationError:
        return False
    return True


def can_be_written(kind, name):
    ids = tokenizer.encode(f'"{name}"').ids
    matcher = LLMatcher(allowed, LLMatcher.grammar_from_json_schema(kind.json_schema()))
    return matcher.validate_tokens(ids) == len(ids)


print(*(f"{name} {version(name)}" for name in ("llguidance", "pydantic", "tokenizers")))
# pattern, name: whether pydantic accepts it, whether the grammar of the same schema lets it be written
CASES = {
    (r"^[\w ()&.-]+$", "가온은행"): (True, False),
    (r"^[\w ()&.-]+$", "Gaon Bank"): (True, True),
    (r"^[가-힣A-Za-z0-9 ()&.-]+$", "가온은행"): (True, True),
}
described = True
for (pattern, name), expected in CASES.items():
    kind = TypeAdapter(Annotated[str, StringConstraints(pattern=pattern)])
    got = checks(kind, name), can_be_written(kind, name)
    print(f"{pattern} {name}: pydantic accepts {got[0]}, llguidance lets it be written {got[1]}")
    described = described and got == expected
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
