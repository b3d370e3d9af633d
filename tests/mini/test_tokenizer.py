import pytest
from transformers import AutoTokenizer

from newsft.encoding.chat import ChatFormat
from newsft.mini.names import SYLLABLES
from newsft.mini.tokenizer import CHAT_TEMPLATE, CONTROL_TOKENS, VOCABULARY, build_tokenizer
from newsft.mini.written import read_written


@pytest.fixture(scope="module")
def small():
    return build_tokenizer(read_written()[:50], documents=20)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_every_common_syllable_is_one_token(tokenizer):
    assert [syllable for syllable in SYLLABLES if len(ids(tokenizer, syllable)) != 1] == []


@pytest.mark.parametrize(
    "text",
    [
        "새빛전자, 1,234억 원 ▲12.5%",
        "📈👨‍👩‍👧",
        "뷁 똠방각하 ᄒᆞᆫ글",
        "漢字 ひらがな Ωλ",
        "a  b\t\n\n c\n",
        "\0\x7f�",
        "<|eot_id|>",
    ],
)
def test_any_text_comes_back_from_its_ids(tokenizer, text):
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_shipped_rows_come_back_from_their_ids(tokenizer, rows):
    for row in rows[::25]:
        assert tokenizer.decode(ids(tokenizer, row["user_prompt"])) == row["user_prompt"]


def test_name_is_the_same_tokens_wherever_it_stands(tokenizer):
    name = ids(tokenizer, "새빛온")
    for text in (" 새빛온", "'새빛온'", "['새빛온', ", "새빛온은", "\n새빛온", "(새빛온)"):
        found = ids(tokenizer, text)
        assert any(found[start : start + len(name)] == name for start in range(len(found))), text


def test_numbers_and_latin_names_are_spelled_sign_by_sign(tokenizer):
    assert len(ids(tokenizer, "2027")) == 4
    assert len(ids(tokenizer, "QXZ")) == 3


def test_control_tokens_are_one_id_each_and_come_last(tokenizer):
    found = [ids(tokenizer, token) for token in CONTROL_TOKENS]
    assert [len(one) for one in found] == [1] * len(CONTROL_TOKENS)
    assert sorted(one[0] for one in found) == list(range(len(tokenizer) - len(CONTROL_TOKENS), len(tokenizer)))
    assert len(tokenizer) <= VOCABULARY


def test_turns_end_with_the_eos_token_and_padding_is_another(tokenizer):
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<|begin_of_text|>", "<|eot_id|>")
    assert ChatFormat(tokenizer).end_id == tokenizer.eos_token_id
    assert tokenizer.pad_token_id not in (tokenizer.eos_token_id, tokenizer.bos_token_id)


def test_plain_call_adds_no_second_bos(tokenizer):
    text = tokenizer.apply_chat_template([{"role": "user", "content": "뉴스"}], tokenize=False)
    assert tokenizer(text)["input_ids"].count(tokenizer.bos_token_id) == 1


def test_template_reads_like_llama_3s(tokenizer):
    assert tokenizer.chat_template == CHAT_TEMPLATE
    messages = [{"role": "system", "content": "규칙"}, {"role": "user", "content": " 뉴스\n"}]
    expected = "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n규칙<|eot_id|><|start_header_id|>user<|end_header_id|>\n\n뉴스<|eot_id|>"
    assert tokenizer.apply_chat_template(messages, tokenize=False) == expected
    header = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    assert tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == expected + header


@pytest.mark.parametrize("answer", ["{'a': 1}", "\n{'a'}", "  답", "네", "📈", "1", "'", "\t", "...", "A"])
def test_header_and_answer_never_merge(tokenizer, answer):
    header = "<|start_header_id|>assistant<|end_header_id|>\n\n"
    merged = ids(tokenizer, header + answer)
    # White space before an answer would merge; the template strips it.
    if answer.strip() == answer:
        assert merged[: len(ids(tokenizer, header))] == ids(tokenizer, header)
    messages = [{"role": "user", "content": "뉴스"}, {"role": "assistant", "content": answer}]
    chat = ChatFormat(tokenizer)
    prompt = chat.encode_prompt(messages[:-1])
    assert chat.encode_row(messages).input_ids[: len(prompt)] == prompt.input_ids


def test_same_seed_builds_the_same_tokenizer(small):
    assert (
        build_tokenizer(read_written()[:50], documents=20).backend_tokenizer.to_str()
        == small.backend_tokenizer.to_str()
    )


def test_saved_tokenizer_loads_with_the_same_ids_and_template(small, tmp_path, rows):
    small.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.chat_template == small.chat_template
    assert (loaded.bos_token, loaded.eos_token, loaded.pad_token) == (small.bos_token, small.eos_token, small.pad_token)
    for row in rows[::100]:
        assert ids(loaded, row["user_prompt"]) == ids(small, row["user_prompt"])
