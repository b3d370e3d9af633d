#!/usr/bin/env bash
# lm-format-enforcer 0.11.3: a Hangul syllable that the vocabulary spells in byte tokens ends a JSON answer in mid-string, and cannot be written at all where an enum or a regex asks for it.
# With minLength and the default configuration every Hangul string ends after its first syllable. Nothing is raised; an error is logged only where no token at all is left.
# Hurts whoever enforces a schema on a byte-level BPE such as Llama 3's: a list of names breaks off inside a rare name, and a company of an enum can never be chosen, so that another one is written in its place.
# Instead: a tool that works on bytes (llguidance takes every answer below with the same tokenizer), and json.loads on whatever was enforced.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check lm-format-enforcer==0.11.3 tokenizers==0.23.3 llguidance==1.9.1 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import json
from importlib.metadata import version

import llguidance
from lmformatenforcer import JsonSchemaParser, TokenEnforcer, TokenEnforcerTokenizerData
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

END = 0
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex("[가-힣]"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)])
tokenizer.decoder = decoders.ByteLevel()
alphabet = pre_tokenizers.ByteLevel.alphabet()
tokenizer.train_from_iterator(["해담전자 가온은행 상승 하락 종목"], trainers.BpeTrainer(vocab_size=400, show_progress=False, initial_alphabet=alphabet, special_tokens=["<end>"]))
size = tokenizer.get_vocab_size()
# the texts of the tokens and the decoder are those of lmformatenforcer.integrations.transformers
texts = [(token, tokenizer.decode([token]), False) for token in range(1, size)]
shared = TokenEnforcerTokenizerData(texts, lambda ids: tokenizer.decode(ids).rstrip("\ufffd"), END, False, size)
ll_tokenizer = llguidance.LLTokenizer(tokenizer.to_str(), n_vocab=size, eos_token=END)


def enforced(schema, answer):
    """What a model that wants to write `answer` gets out, and what it may write next."""
    enforcer, written = TokenEnforcer(shared, JsonSchemaParser(schema)), []
    for token in tokenizer.encode(answer).ids:
        allowed = enforcer.get_allowed_tokens(written).allowed_tokens
        if token not in allowed:
            return tokenizer.decode(written), allowed
        written.append(token)
    return tokenizer.decode(written), enforcer.get_allowed_tokens(written).allowed_tokens


def on_bytes(schema, answer):
    matcher = llguidance.LLMatcher(ll_tokenizer, llguidance.LLMatcher.grammar_from_json_schema(schema))
    ids = tokenizer.encode(answer).ids
    return matcher.try_consume_tokens(ids) == len(ids) and matcher.is_accepting()


def field(**schema):
    return {"type": "object", "properties": {"종목": schema}, "required": ["종목"]}


names = field(type="array", items={"type": "string"})
cases = {
    "known": (names, ["해담전자", "가온은행"]),
    "string": (names, ["해담전자", "뚫샾은행", "가온은행"]),
    "enum": (field(enum=["해담전자", "뚫샾은행"]), "뚫샾은행"),
    "pattern": (field(type="string", pattern="^[가-힣]{2,8}$"), "뚫샾은행"),
    "minLength": (field(type="string", minLength=2), "가온은행"),
}
print("lm-format-enforcer", version("lm-format-enforcer"), "| llguidance", version("llguidance"), "| tokenizers", version("tokenizers"))
seen, ends, forced = {}, {}, {}
for name, (schema, value) in cases.items():
    answer = json.dumps({"종목": value}, ensure_ascii=False)
    seen[name], allowed = enforced(schema, answer)
    ends[name] = END in allowed
    forced[name] = {tokenizer.decode([token]) for token in allowed}
    assert on_bytes(schema, answer), name
    print(f"{name}: wanted {answer}, written {seen[name]}, end allowed: {ends[name]}, next: {sorted(forced[name])}")
described = seen == {
    "known": '{"종목": ["해담전자", "가온은행"]}',
    "string": '{"종목": ["해담전자", "뚫',
    "enum": '{"종목": "',
    "pattern": '{"종목": "',
    "minLength": '{"종목": "가',
} and ends == {"known": True, "string": True, "enum": False, "pattern": False, "minLength": True} and forced["enum"] == {"해"}
print("as described" if described else "NO LONGER AS DESCRIBED")
raise SystemExit(not described)
PYTHON
