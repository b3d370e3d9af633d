import json
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from newsft.data.messages import row_messages
from newsft.data.text import clean_text
from newsft.encoding.chat import ChatFormat
from newsft.encoding.llama3 import llama3_chat
from newsft.encoding.row import ELLIPSIS, IGNORED, shorten_middle
from newsft.errors import UserError
from tests.templates import ANSWER, CONVERSATIONS, HEADER, LLAMA2, LLAMA3, SYSTEM, TEMPLATES, USER, VARCO, with_template

REAL = Path(__file__).parents[3] / "shared" / "real"


def join(pieces):
    return "".join(piece.text for piece in pieces)


def trained_text(encoded):
    return "".join(
        encoded.text[start:end]
        for (start, end), label in zip(encoded.spans, encoded.labels, strict=True)
        if label != IGNORED
    )


def characters_of(encoded, origin):
    return "".join(
        encoded.text[start:end]
        for (start, end), found in zip(encoded.spans, encoded.origins, strict=True)
        if found == origin
    )


@pytest.fixture(params=TEMPLATES)
def templated(request, tokenizer):
    return ChatFormat(with_template(tokenizer, TEMPLATES[request.param]))


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_pieces_joined_are_the_templates_own_text(templated, messages):
    whole = templated.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
    uninvited = HEADER if templated.tokenizer.chat_template == VARCO else ""
    assert join(templated.build_pieces(messages)) + uninvited == whole


@pytest.mark.parametrize("messages", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_prompt_is_the_templates_own_text_with_the_generation_header(templated, messages):
    whole = templated.tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    assert templated.encode_prompt(messages[:-1]).text == whole


def test_shipped_template_is_followed_to_the_letter(chat, tokenizer, rows):
    for row in rows[::40]:
        messages = row_messages(row)
        assert join(chat.build_pieces(messages)) == tokenizer.apply_chat_template(messages, tokenize=False)


def test_uninvited_generation_header_is_not_in_the_training_row(tokenizer):
    encoded = ChatFormat(with_template(tokenizer, VARCO)).encode_row(CONVERSATIONS["one_turn"])
    assert encoded.text.endswith(ANSWER["content"] + "<|eot_id|>")
    assert encoded.labels[-1] == encoded.input_ids[-1] == tokenizer.convert_tokens_to_ids("<|eot_id|>")


@pytest.mark.parametrize("name", TEMPLATES)
def test_labels_are_the_answer_and_its_end_of_turn(tokenizer, name):
    end = {"chatml": "<|eom_id|>", "llama2": " <|eot_id|>"}.get(name, "<|eot_id|>")
    encoded = ChatFormat(with_template(tokenizer, TEMPLATES[name])).encode_row(CONVERSATIONS["one_turn"])
    lead = " " if name == "llama2" else ""  # which the prompt lacks, so that the model has to write it
    assert trained_text(encoded) == lead + ANSWER["content"] + end
    assert all(label in (IGNORED, token) for label, token in zip(encoded.labels, encoded.input_ids, strict=True))


def test_every_answer_of_a_longer_conversation_is_trained(templated):
    encoded = templated.encode_row(CONVERSATIONS["two_turns"])
    end = templated.end_id
    trained = templated.tokenizer.decode([label for label in encoded.labels if label != IGNORED])
    first, second, rest = trained.split(templated.tokenizer.decode([end]))
    assert (first.strip(), second.strip(), rest) == (ANSWER["content"], "많이 팔렸기 때문입니다.", "")


def test_origins_tell_who_wrote_what(templated):
    texts = {"system": "시스템", "user": "뉴스 본문", "assistant": "답변"}
    encoded = templated.encode_row([{"role": role, "content": text} for role, text in texts.items()])
    assert [characters_of(encoded, origin) for origin in ("system", "user", "answer")] == [
        "시스템",
        "뉴스 본문",
        " 답변" if templated.template == LLAMA2 else "답변",
    ]
    assert (
        len(encoded.input_ids)
        == len(encoded.labels)
        == len(encoded.attention_mask)
        == len(encoded.origins)
        == len(encoded.spans)
        == len(encoded)
    )
    assert set(encoded.attention_mask) == {1}


@pytest.mark.parametrize("name", ["llama3", "varco", "dated"])
def test_row_begins_with_the_one_bos(tokenizer, name):
    changed = ChatFormat(with_template(tokenizer, TEMPLATES[name]))
    for messages in CONVERSATIONS.values():
        encoded = changed.encode_row(messages)
        assert encoded.input_ids.index(tokenizer.bos_token_id) == 0
        assert encoded.input_ids.count(tokenizer.bos_token_id) == 1


def test_prompt_ids_are_a_prefix_of_the_row(chat, rows):
    for row in rows[::20][:50]:
        messages = row_messages(row)
        encoded, prompt = chat.encode_row(messages), chat.encode_prompt(messages[:-1])
        assert encoded.input_ids[: len(prompt)] == prompt.input_ids
        assert encoded.labels[: len(prompt)] == [IGNORED] * len(prompt)
        assert IGNORED not in encoded.labels[len(prompt) :]


@pytest.mark.parametrize("name", ["llama3", "varco", "chatml", "dated"])
def test_prompt_ids_are_a_prefix_of_the_row_under_other_templates(tokenizer, name):
    changed = ChatFormat(with_template(tokenizer, TEMPLATES[name]))
    for messages in CONVERSATIONS.values():
        encoded, prompt = changed.encode_row(messages), changed.encode_prompt(messages[:-1])
        assert encoded.input_ids[: len(prompt)] == prompt.input_ids


def test_encoding_in_pieces_gives_the_ids_of_the_whole_text(chat, tokenizer, rows):
    for row in rows[::40]:
        encoded = chat.encode_row(row_messages(row))
        assert encoded.input_ids == tokenizer(encoded.text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    "pasted", ["<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>assistant<|end_header_id|>\n\n예", "<|eom_id|>"]
)
def test_pasted_control_token_stays_text(templated, pasted):
    def control_ids(encoded):
        return [token for token in encoded.input_ids if token in templated.tokenizer.added_tokens_decoder]

    plain = templated.encode_row([SYSTEM, {"role": "user", "content": "앞 뒤"}, ANSWER])
    encoded = templated.encode_row([SYSTEM, {"role": "user", "content": f"앞 {pasted} 뒤"}, ANSWER])
    assert control_ids(encoded) == control_ids(plain)
    assert characters_of(encoded, "user") == f"앞 {pasted} 뒤"
    assert trained_text(encoded).lstrip().startswith(ANSWER["content"])


def test_control_token_in_system_prompt_or_answer_stays_text(chat, tokenizer):
    messages = [
        {"role": "system", "content": "규칙<|eot_id|>"},
        USER,
        {"role": "assistant", "content": "답<|eot_id|>더"},
    ]
    encoded = chat.encode_row(messages)
    assert encoded.input_ids.count(tokenizer.convert_tokens_to_ids("<|eot_id|>")) == 3
    assert trained_text(encoded) == "답<|eot_id|>더<|eot_id|>"


def test_encoding_leaves_the_tokenizer_as_it_was(chat, tokenizer):
    chat.encode_row(CONVERSATIONS["one_turn"])
    assert tokenizer("<|eot_id|>", add_special_tokens=False)["input_ids"] == [
        tokenizer.convert_tokens_to_ids("<|eot_id|>")
    ]


def test_spans_map_tokens_to_the_text(templated):
    encoded = templated.encode_row(CONVERSATIONS["two_turns"])
    reached = 0
    for token, (start, end) in zip(encoded.input_ids, encoded.spans, strict=True):
        assert start <= reached <= end and start < end  # no gap, nothing out of order
        reached = end
        shown = templated.tokenizer.decode([token])
        if "\ufffd" not in shown:  # a token of a whole character or more; bytes of an emoji share its span
            assert encoded.text[start:end] == shown
    assert reached == len(encoded.text)


def test_bytes_of_one_character_share_its_span(chat):
    encoded = chat.encode_row([{"role": "user", "content": "📈"}, ANSWER])
    spans = [span for span, origin in zip(encoded.spans, encoded.origins, strict=True) if origin == "user"]
    assert len(spans) > 1
    assert {encoded.text[start:end] for start, end in spans} == {"📈"}


def test_decomposed_hangul_encodes_like_composed_once_cleaned(chat):
    composed = "새빛전자가 수주했다"
    decomposed = unicodedata.normalize("NFD", composed)
    cleaned, changes = clean_text(decomposed)
    assert changes == ["nfc"]
    raw, pasted, typed = (
        chat.encode_row([{"role": "user", "content": text}, ANSWER]) for text in (decomposed, cleaned, composed)
    )
    assert pasted == typed
    assert raw.origins.count("user") > 3 * len(composed)


@pytest.mark.parametrize(
    "pasted, kept",
    [("실적 \ud83d 발표", "실적 � 발표"), ("📈👨‍👩‍👧🇰🇷 상승", "📈👨‍👩‍👧🇰🇷 상승"), ("옛한글 ᄒᆞᆫ글", "옛한글 ᄒᆞᆫ글")],
)
def test_odd_characters_survive_cleaning_and_encoding(chat, tokenizer, pasted, kept):
    cleaned, _ = clean_text(pasted)
    encoded = chat.encode_row([{"role": "user", "content": cleaned}, ANSWER])
    ids = [token for token, origin in zip(encoded.input_ids, encoded.origins, strict=True) if origin == "user"]
    assert tokenizer.decode(ids) == kept


NEWS = " ".join(f"{number}번째 문장에서 새빛전자는 매출을 발표했다." for number in range(200))


@pytest.mark.parametrize("limit", [200, 333, 1000])
def test_long_row_loses_the_middle_of_its_news_only(chat, limit):
    messages = [SYSTEM, {"role": "user", "content": NEWS}, ANSWER]
    whole, short = chat.encode_row(messages), chat.encode_row(messages, max_length=limit)
    assert 0.9 * limit <= len(short) <= limit < len(whole)
    head, tail = characters_of(short, "user").split(ELLIPSIS)
    assert NEWS.startswith(head) and NEWS.endswith(tail) and abs(len(head) - len(tail)) <= 1
    for origin in ("system", "answer", "template"):
        assert characters_of(short, origin) == characters_of(whole, origin)
    assert trained_text(short) == ANSWER["content"] + "<|eot_id|>"


def test_row_of_exactly_the_limit_is_left_alone(chat):
    messages = [SYSTEM, {"role": "user", "content": NEWS}, ANSWER]
    whole = chat.encode_row(messages)
    assert chat.encode_row(messages, max_length=len(whole)) == whole
    assert ELLIPSIS in chat.encode_row(messages, max_length=len(whole) - 1).text


def test_shortening_does_not_change_the_callers_messages(chat):
    messages = [SYSTEM, {"role": "user", "content": NEWS}, ANSWER]
    chat.encode_row(messages, max_length=300)
    assert messages[1]["content"] == NEWS


def test_row_that_cannot_fit_is_named(chat):
    messages = [SYSTEM, USER, {"role": "assistant", "content": NEWS}]
    with pytest.raises(UserError, match=r"training row 7 .* the limit is 256; raise --max-length"):
        chat.encode_row(messages, max_length=256, name="training row 7")


def test_row_without_news_that_cannot_fit_is_named(chat):
    with pytest.raises(UserError, match=r"training row 3 .*no news to shorten"):
        chat.encode_row([SYSTEM, {"role": "assistant", "content": NEWS}], max_length=256, name="training row 3")


def test_tokenizer_without_template_is_a_user_error(tokenizer):
    with pytest.raises(UserError, match="no chat template"):
        ChatFormat(with_template(tokenizer, None)).encode_row([USER, ANSWER])


def test_template_that_drops_a_message_is_a_user_error(tokenizer):
    users_only = "{% for message in messages %}{% if message['role'] != 'system' %}{{ message['content'] + '<|eot_id|>' }}{% endif %}{% endfor %}"
    with pytest.raises(UserError, match=r"leaves out message 1 \(system\)"):
        ChatFormat(with_template(tokenizer, users_only)).encode_row([SYSTEM, USER, ANSWER])


def test_template_that_refuses_a_system_prompt_is_a_user_error(tokenizer):
    refusing = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}" + LLAMA3
    )
    with pytest.raises(UserError, match="System role not supported"):
        ChatFormat(with_template(tokenizer, refusing)).encode_row([SYSTEM, USER, ANSWER])
    assert len(ChatFormat(with_template(tokenizer, refusing)).encode_row([USER, ANSWER]))


def test_template_without_end_of_turn_is_a_user_error(tokenizer):
    endless = "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '\n' }}{% endfor %}"
    with pytest.raises(UserError, match="no end-of-turn token"):
        ChatFormat(with_template(tokenizer, endless)).encode_row([USER, ANSWER])


def test_empty_conversation_is_a_user_error(chat):
    with pytest.raises(UserError, match="no message"):
        chat.encode_prompt([])


@pytest.mark.parametrize("name, token", [("llama3", "<|eot_id|>"), ("varco", "<|eot_id|>"), ("chatml", "<|eom_id|>")])
def test_end_of_turn_is_read_off_the_template(tokenizer, name, token):
    assert ChatFormat(with_template(tokenizer, TEMPLATES[name])).end_id == tokenizer.convert_tokens_to_ids(token)


def test_threads_get_the_ids_that_one_thread_gets(chat, rows):
    conversations = [row_messages(row) for row in rows[:40]]
    alone = [chat.encode_row(messages).input_ids for messages in conversations]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda messages: chat.encode_row(messages).input_ids, conversations * 3))
    assert together == alone * 3


@pytest.mark.parametrize(
    "limit, expected", [(0, ""), (-5, ""), (1, "가 … "), (4, "가나 … 마바"), (5, "가나다 … 마바"), (6, "가나다라마바")]
)
def test_shorten_middle_keeps_both_ends(limit, expected):
    assert shorten_middle("가나다라마바", limit) == expected


@pytest.fixture(params=["test_0", "train_345"])
def real(request):
    if not REAL.is_dir():
        pytest.skip("the two published rows are not here")
    return json.loads((REAL / f"{request.param}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def llama3():
    return llama3_chat()


def test_real_row_encodes_with_the_mini_tokenizer(chat, tokenizer, real):
    encoded = chat.encode_row(real["messages"])
    assert trained_text(encoded) == real["messages"][2]["content"] + "<|eot_id|>"
    assert tokenizer.decode(encoded.input_ids) == encoded.text


def test_real_row_has_the_published_number_of_tokens(llama3, real):
    encoded = llama3.encode_row(real["messages"])
    assert len(encoded) == real["tokens"]["official_template"]
    counts = {origin: encoded.origins.count(origin) for origin in ("system", "user", "answer")}
    assert counts == {
        "system": real["tokens"]["system"],
        "user": real["tokens"]["user"],
        "answer": real["tokens"]["assistant"],
    }
    assert sum(label != IGNORED for label in encoded.labels) == real["tokens"]["assistant"] + 1


def test_toy_conversation_has_the_published_ids(llama3):
    if not REAL.is_dir():
        pytest.skip("the published ids are not here")
    one_newline = with_template(llama3.tokenizer, VARCO.replace("\n\n", "\n"))
    toy = [
        "당신은 친절한 AI 어시스턴트입니다.",
        "안녕하세요, 오늘 날씨는 어떤가요?",
        "안녕하세요! 오늘 날씨는 맑고 화창합니다.",
    ]
    encoded = ChatFormat(one_newline).encode_row(
        [{"role": role, "content": text} for role, text in zip(("system", "user", "assistant"), toy, strict=True)]
    )
    assert encoded.input_ids == json.loads((REAL / "llama3_ids.json").read_text(encoding="utf-8"))["toy_one_newline"]
    assert encoded.labels[-1] == 128009 and encoded.input_ids[0] == 128000
