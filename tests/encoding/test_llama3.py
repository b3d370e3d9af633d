import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from newsft.encoding import llama3
from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import IGNORED
from newsft.encoding.template import respell_template
from newsft.lessons.conversations import TOY
from newsft.recipe import RECIPES

# The beginning of the first training row, as the lesson prints it: spaces around the role, one newline after the header.
LESSON_IDS = """
128000 128006 1887 220 128007 198 65895 83628 34804 56773 125441 111068 25941 123103 99458 88708 19954 126652 56773 16969 111068 25941 117469
106478 102517 44005 104193 123061 111068 25941 106478 102517 21121 80052 627 103097 109521 111964 127491 122625 119097 108859 101480 93917
101868 56069 13094 168 235 105 21028 11240 106612 77437 43139 114839 16582 119978 627 65993 108 103386 36092 112 102260 109055 19954 105642
103386 36092 112 102260 105880 103607 34609 113348 45618 49085 88525 96677 119978 13 127063 11240 56069 113890 18359 62085 99742 102893 105365
102467 112215 124005 13 106725 27796 56773 21028 16582 119978 627 54059 54542 11240 57575 106603 907 16969 67890 30426 115790 19954 95713 61938
13 67890 56154 115790 18359 106725 103607 22035 100711 119978 13 95713 67890 30426 115790 19954 106725 103607 104834 24486 907 18918
"""
# The lesson's toy conversation with one newline after each header; the ids that the lesson prints for it are made up.
TOY_IDS = """
128000 128006 9125 128007 198 65895 83628 34804 108280 104834 24486 15592 101139 30426 25941 95252 29726 80052 13 128009
128006 882 128007 198 101193 124409 11 111128 105605 107497 16969 112700 122665 30 128009
128006 78191 128007 198 101193 124409 0 111128 105605 107497 16969 34085 239 35495 104323 106646 61938 13 128009
"""
ROLES = ("system", "user", "assistant")
PUBLISHED = {
    "system": 9125,
    " system": 1887,
    "user": 882,
    "assistant": 78191,
    " assistant": 18328,
    "\n": 198,
    "\n\n": 271,
    "!": 0,
}
PUBLISHED |= {
    "<|begin_of_text|>": 128000,
    "<|end_of_text|>": 128001,
    "<|start_header_id|>": 128006,
    "<|end_header_id|>": 128007,
    "<|eot_id|>": 128009,
}
SCRAPS = "<| |> eot_id <|eot_id|> <|start_header_id|> <|end_header_id|>assistant <|begin_of_text|> <|reserved_special_token_ 7|> <|eot_ id|> <<|eot_id|>>".split()
PLAIN = [
    *"새빛전자 주가 맑 뷁 ㅋㅋ 가\u0301 2분기 1,234억 it's a B ' \" { } [ ( % … 📈 . ? - _ \\n".split(),
    " ",
    "  ",
    "\t",
    "\u2003",
    "\n",
    "\n\n",
]
MIXED = "새빛전자, 2분기 1,234억 원… 📈 맑다!!! it's\n\n\n  {'a': None} <|eot_id|>"


@pytest.fixture(scope="module")
def chat():
    return llama3.llama3_chat()


@pytest.fixture(scope="module")
def tokenizer(chat):
    return chat.tokenizer


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder and a process that has loaded nothing yet."""
    monkeypatch.setattr(llama3, "user_cache_path", lambda name: tmp_path / name)
    llama3._load_chat.cache_clear()
    yield tmp_path / "newsft"
    llama3._load_chat.cache_clear()


def numbers(text):
    return [int(number) for number in text.split()]


def ids(tokenizer, text, **options):
    return tokenizer(text, add_special_tokens=False, **options)["input_ids"]


def draw_conversation(rng, scraps):
    return [{"role": role, "content": "".join(rng.choices(scraps, k=rng.randint(1, 14))).strip()} for role in ROLES]


def test_ids_that_the_lesson_prints_come_back(tokenizer):
    printed = numbers(LESSON_IDS)
    assert len(printed) == 137
    assert ids(tokenizer, tokenizer.decode(printed)) == printed


def test_toy_conversation_with_one_newline_is_54_tokens(chat):
    pieces = respell_template(chat.build_pieces(TOY), one_newline=True)
    encoded = chat.encode_pieces(pieces)
    assert (encoded.input_ids, len(encoded)) == (numbers(TOY_IDS), 54)


@pytest.mark.parametrize("text, number", PUBLISHED.items())
def test_token_has_the_published_id(tokenizer, text, number):
    assert ids(tokenizer, text) == [number]


def test_control_tokens_fill_the_vocabulary_to_its_published_size(tokenizer):
    assert len(tokenizer) == 128_256
    assert tokenizer.convert_tokens_to_ids(list(llama3.CONTROL_TOKENS)) == list(range(128_000, 128_256))


def test_syllable_is_two_tokens_that_do_not_decode_alone(tokenizer):
    assert ids(tokenizer, " 맑") == [34085, 239]
    assert tokenizer.decode([34085, 239]) == " 맑"
    assert "\ufffd" in tokenizer.decode([34085]) and "\ufffd" in tokenizer.decode([239])


def test_pads_with_the_exclamation_mark_and_stops_at_the_end_of_the_turn(tokenizer):
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 128000, 128009)


def test_threads_that_come_at_once_share_one_tokenizer(cache):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: llama3.llama3_chat(), range(4)))
    assert len({id(one) for one in found}) == 1


def test_cached_copy_gives_the_ids_of_the_converted_one(cache, monkeypatch):
    converted = llama3.load_tokenizer()
    monkeypatch.setattr(llama3, "convert_tokenizer", None)  # a second conversion would be a TypeError
    cached = llama3.load_tokenizer()
    assert cached is not converted
    for options in ({"split_special_tokens": True}, {"split_special_tokens": False}):
        assert ids(cached, MIXED, **options) == ids(converted, MIXED, **options)
    assert ChatFormat(cached).encode_row(TOY) == ChatFormat(converted).encode_row(TOY)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id", "chat_template", "added_tokens_decoder"):
        assert getattr(cached, name) == getattr(converted, name)


def test_nothing_but_the_copy_is_left_in_the_cache(tokenizer, cache, monkeypatch):
    monkeypatch.setattr(llama3, "convert_tokenizer", lambda: tokenizer)
    llama3.load_tokenizer()
    assert [folder.name for folder in cache.iterdir()] == [llama3.CACHE]
    assert (cache / llama3.CACHE).stat().st_mode & 0o777 == 0o755


def test_cache_that_cannot_be_written_does_no_harm(tokenizer, tmp_path, cache, monkeypatch):
    monkeypatch.setattr(llama3, "convert_tokenizer", lambda: tokenizer)
    cache.write_text("a file where the folder should be", encoding="utf-8")
    assert llama3.load_tokenizer() is tokenizer
    assert list(tmp_path.iterdir()) == [cache]


def test_folder_that_another_process_is_filling_is_left_alone(tokenizer, cache, monkeypatch):
    monkeypatch.setattr(llama3, "convert_tokenizer", lambda: tokenizer)
    (cache / llama3.CACHE).mkdir(parents=True)
    (cache / llama3.CACHE / "tokenizer_config.json").write_text("{}", encoding="utf-8")
    assert llama3.load_tokenizer() is tokenizer
    assert [path.name for path in cache.rglob("*")] == [llama3.CACHE, "tokenizer_config.json"]


@pytest.mark.parametrize("one_newline", [False, True])
@pytest.mark.parametrize("messages", [TOY, TOY + TOY[1:]], ids=["three_turns", "five_turns"])
def test_spaces_around_the_role_cost_one_token_a_turn(chat, messages, one_newline):
    pieces = chat.build_pieces(messages)
    without, spaced = (
        len(chat.encode_pieces(respell_template(pieces, spaces=spaces, one_newline=one_newline)))
        for spaces in (False, True)
    )
    assert spaced == without + len(messages)


def test_lora_of_the_recipe_trains_the_published_number_of_parameters():
    shape = LlamaConfig(
        vocab_size=128_256,
        hidden_size=4096,
        intermediate_size=14_336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        tie_word_embeddings=False,
    )
    recipe = RECIPES["varco"]
    with torch.device("meta"):  # shapes without memory
        model = get_peft_model(
            LlamaForCausalLM(shape),
            LoraConfig(
                r=recipe.lora_r,
                lora_alpha=recipe.lora_alpha,
                target_modules=list(recipe.lora_targets),
                task_type="CAUSAL_LM",
            ),
        )
    trainable, everything = model.get_nb_trainable_parameters()
    assert trainable == 3_407_872
    assert everything - trainable == 8_030_261_248


def test_random_texts_with_control_tokens_forge_none(chat):
    rng = random.Random(3)

    def frame(messages):
        return [token for token in chat.encode_row(messages).input_ids if token in chat.control_ids]

    expected = frame(TOY)
    conversations = [draw_conversation(rng, SCRAPS + PLAIN) for _ in range(1000)]  # three texts each
    assert [messages for messages in conversations if frame(messages) != expected] == []
    assert sum("<|eot_id|>" in message["content"] for messages in conversations for message in messages) > 300


def test_random_benign_texts_encode_like_the_templates_whole_text(chat, tokenizer):
    rng = random.Random(4)
    for _ in range(334):  # three texts each
        messages = draw_conversation(rng, PLAIN)
        assert chat.encode_row(messages).input_ids == ids(
            tokenizer, tokenizer.apply_chat_template(messages, tokenize=False)
        ), messages


@pytest.mark.parametrize(
    "answer, expected", [("!", [0]), ("안녕!!!", [101193, 116024, 12340]), ("a !b", [64, 758, 65])]
)
def test_pad_tokens_sign_merges_like_any_other_text_in_an_answer(chat, answer, expected):
    encoded = chat.encode_row([TOY[1], {"role": "assistant", "content": answer}])
    assert [label for label in encoded.labels if label != IGNORED] == [*expected, 128009]
