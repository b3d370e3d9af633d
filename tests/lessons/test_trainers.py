"""The behaviours of other trainers on the toy row, with what was counted in the trainers themselves; TRL, which is installed, is asked itself."""

import copy
from datetime import date
from functools import cache
from importlib.metadata import version

import pytest
from datasets import Dataset
from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer
from trl.chat_template_utils import llama3_training_chat_template

from benchmarks.trainers import PACKAGES
from newsft.encoding.chat import ChatFormat
from newsft.encoding.llama3 import llama3_chat
from newsft.encoding.row import IGNORED
from newsft.lessons.behaviours import BEHAVIOURS, Case
from newsft.lessons.conversations import TOY
from newsft.lessons.limits import LIMITS
from newsft.lessons.trainers import load_trainers, prepare_row
from newsft.paths import ASSETS
from scripts import figures
from tests.templates import DATED, LLAMA3, with_template

TODAY = date(2026, 11, 28)
TRAINERS = load_trainers()
END, TEXT_END, BOS = 128009, 128001, 128000
TWO_TURNS = [*TOY, {"role": "user", "content": "고맙습니다."}, {"role": "assistant", "content": "천만에요."}]
LONG = [TOY[0], {"role": "user", "content": "오늘 날씨는 맑고 화창합니다. " * 700}, TOY[2]]
SPACED = [*TOY[:2], {"role": "assistant", "content": f"  {TOY[2]['content']}\n"}]
# Tokens and labels of the toy row (54 ids, 15 trained) in each trainer.
COUNTS = {
    "trl-messages": (54, 15),
    "trl-completion": (54, 15),
    "trl-strings": (55, 15),
    "trl-text": (55, 55),
    "trl-labels": (54, 15),
    "trl-mask": (54, 54),
    "llamafactory": (54, 15),
    "llamafactory-unnamed": (99, 15),
    "llamafactory-split": (101, 20),
    "axolotl": (54, 15),
    "axolotl-inputs": (54, 41),
    "swift": (54, 15),
    "swift-dated": (74, 15),
    "swift-jinja": (54, 53),
    "unsloth": (54, 15),
    "unsloth-cpu": (55, 15),
    "torchtune": (55, 19),
    "renderers": (74, 15),
    "renderers-default": (54, 19),
    "tinker": (54, 15),
    "litgpt": (54, 54),
    "litgpt-mask": (54, 15),
    "mlx": (55, 55),
    "mlx-mask": (55, 16),
}


@cache
def tokenizer_of(template, *, trl=False, adds_bos=False):
    """Llama 3's with another template, made once, as a copy takes a second; TRL, which gives it a padding token, has one of its own."""
    tokenizer = with_template(llama3_chat().tokenizer, template)
    if adds_bos:  # as the tokenizer on the hub does
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
            single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", BOS)]
        )
    return tokenizer


@pytest.fixture(params=["mini", "llama3"])
def either(request, chat):
    return chat if request.param == "mini" else llama3_chat()


def prepared(key, messages=TOY, *, chat=None, limit=None):
    return prepare_row(TRAINERS[key], chat or llama3_chat(), messages, today=TODAY, limit=limit)


def ours(messages=TOY, chat=None):
    return (chat or llama3_chat()).encode_row(messages)


def behave(name, chat, messages=TOY):
    return BEHAVIOURS[name](ours(messages, chat), Case(chat, messages, TODAY))


def trained(row):
    return [label for label in row.labels if label != IGNORED]


def test_every_trainer_is_counted_or_refuses():
    assert {key for key, trainer in TRAINERS.items() if not trainer.refuses} == set(COUNTS)
    assert {trainer.over for trainer in TRAINERS.values()} == set(LIMITS)
    assert {name for trainer in TRAINERS.values() for name in trainer.behaviours} | {"train_no_end"} == set(BEHAVIOURS)


@pytest.mark.parametrize("key", COUNTS)
def test_toy_row_has_the_tokens_and_labels_that_were_counted(key):
    row = prepared(key)
    assert (len(row), len(trained(row))) == COUNTS[key]


@pytest.mark.parametrize("key", COUNTS)
@pytest.mark.parametrize("messages", [TOY, TWO_TURNS, TOY[1:], SPACED], ids=["toy", "two_turns", "no_system", "spaced"])
def test_row_of_any_trainer_is_whole_and_reads_as_its_ids(either, key, messages):
    row = prepared(key, messages, chat=either)
    assert {len(column) for column in (row.input_ids, row.labels, row.attention_mask, row.origins, row.spans)} == {
        len(row)
    }
    assert all(label in (IGNORED, token) for token, label in zip(row.input_ids, row.labels, strict=True))
    own = [token for token, origin in zip(row.input_ids, row.origins, strict=True) if origin != "padding"]
    assert either.tokenizer.decode(own, clean_up_tokenization_spaces=False) == row.text


@pytest.mark.parametrize(
    "key",
    [
        "trl-messages",
        "trl-completion",
        "trl-labels",
        "llamafactory",
        "axolotl",
        "swift",
        "unsloth",
        "tinker",
        "litgpt-mask",
    ],
)
def test_correct_trainer_makes_our_row(either, key):
    assert prepared(key, chat=either) == ours(chat=either)


def test_trainer_that_refuses_makes_no_row():
    assert prepared("trl-template") is None


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_behaviour_leaves_the_given_row_as_it_was(either, name):
    row = ours(chat=either)
    given = copy.deepcopy(row)
    BEHAVIOURS[name](row, Case(either, TOY, TODAY))
    assert row == given and row.spans == given.spans


def test_contents_are_trained_and_headers_not():
    row = behave("train_contents", llama3_chat())
    text = llama3_chat().tokenizer.decode(trained(row))
    assert text == "".join(f"{message['content']}<|eot_id|>" for message in TOY)


@pytest.mark.parametrize("messages, answers", [(TOY, 1), (TWO_TURNS, 2)], ids=["one", "two"])
def test_header_is_trained_with_its_line_breaks_before_every_answer(messages, answers):
    chat = llama3_chat()
    row = behave("train_header", chat, messages)
    assert chat.tokenizer.decode(trained(row)).count("<|start_header_id|>assistant<|end_header_id|>\n\n") == answers
    assert len(trained(row)) == len(trained(ours(messages))) + 4 * answers


def test_last_answer_alone_is_trained(either):
    row = behave("train_last_answer", either, TWO_TURNS)
    assert either.tokenizer.decode(trained(row)) == "천만에요.<|eot_id|>"


def test_end_of_turn_is_not_trained():
    assert trained(behave("train_no_end", llama3_chat())) == trained(ours())[:-1]


def test_first_padding_token_is_trained():
    row = behave("train_padding", llama3_chat())
    assert (row.origins[-1], row.labels[-1]) == ("padding", 0)


def test_second_bos_comes_first(either):
    row = behave("add_bos", either)
    assert row.input_ids == [either.tokenizer.bos_token_id, *ours(chat=either).input_ids]


def test_end_of_text_follows_unlabelled():
    row = behave("add_text_end", llama3_chat())
    assert (row.input_ids[-2:], row.labels[-2:]) == ([END, TEXT_END], [END, IGNORED])


@pytest.mark.parametrize("messages", [TOY, TOY[1:], TWO_TURNS], ids=["system", "no_system", "two_turns"])
def test_dates_are_those_of_the_template_of_llama_3_1(messages):
    chat = llama3_chat()
    official = ours(messages, ChatFormat(tokenizer_of(DATED)))
    row = behave("add_dates", chat, messages)
    assert (row.input_ids, row.labels) == (official.input_ids, official.labels)


def test_day_of_the_run_stands_in_the_row():
    tomorrow = prepare_row(TRAINERS["swift-dated"], llama3_chat(), TOY, today=date(2026, 11, 29))
    assert "Today Date: 28 Nov 2026" in prepared("swift-dated").text and "Today Date: 29 Nov 2026" in tomorrow.text


def test_block_of_dates_comes_before_every_users_turn():
    row = prepared("llamafactory-unnamed", TWO_TURNS)
    assert row.text.count("Today Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user") == 2
    assert row.text.count("Today Date") == 3


def test_split_template_leaves_one_control_token():
    row = prepared("llamafactory-split")
    assert [token for token in row.input_ids if token >= BOS] == [BOS]
    assert row.text == ours().text
    assert llama3_chat().tokenizer.decode(trained(row)) == f"{TOY[2]['content']}<|eot_id|>"


@pytest.mark.parametrize("key", COUNTS)
def test_white_space_around_the_answer_is_treated_as_the_entry_says(key):
    row, space = prepared(key, SPACED), TRAINERS[key].space
    if space in ("kept", "trimmed"):
        assert (SPACED[2]["content"] in row.text) == (space == "kept")


# --- a row over the limit: 5,992 ids, or as many as a limit set by hand makes it


@pytest.mark.parametrize("key", ["trl-messages", "trl-completion", "trl-strings", "axolotl", "unsloth-cpu"])
def test_long_row_is_left_out(key):
    assert len(ours(LONG)) > 5_000 and prepared(key, LONG) is None


@pytest.mark.parametrize("key, tokens, labels", [("mlx-mask", 2048, 0), ("mlx", 2048, 2048), ("trl-mask", 1024, 1024)])
def test_long_row_loses_its_answer(key, tokens, labels):
    row = prepared(key, LONG)
    assert (len(row), len(trained(row))) == (tokens, labels)
    assert "answer" not in row.origins


@pytest.mark.parametrize("key", ["swift", "tinker", "litgpt-mask", "torchtune", "renderers", "unsloth"])
def test_long_row_stays_where_there_is_no_such_limit(key):
    assert prepared(key, LONG).labels[-2:].count(IGNORED) < 2


def test_prompt_is_cut_with_the_header_before_the_answer():
    row = prepared("llamafactory", LONG)
    first = row.origins.index("answer")
    assert len(row) == 2048 and trained(row) == trained(ours())
    assert row.origins[first - 1] == "user" and row.input_ids[first - 1] != 271


@pytest.mark.parametrize("limit, labels", [(40, 15), (31, 15), (30, 30 * 15 // 54)], ids=str)
def test_answer_is_cut_only_where_it_takes_half_the_limit(limit, labels):
    row = prepared("llamafactory", limit=limit)
    assert (len(row), len(trained(row))) == (limit, labels)


def test_last_id_of_a_cut_row_is_the_end_of_text():
    row = prepared("torchtune", LONG, limit=100)
    assert len(row) == 100 and row.input_ids[:99] == ours(LONG).input_ids[:99]
    assert (row.input_ids[99], row.labels[99]) == (TEXT_END, IGNORED)


@pytest.mark.parametrize("key, limit", [("tinker", 30), ("litgpt-mask", 30), ("unsloth", 30)])
def test_cut_row_remains_without_a_label(key, limit):
    row = prepared(key, limit=limit)
    assert len(row) == limit and trained(row) == []


# --- what is said of them


def test_table_of_the_document_is_made_of_the_entries():
    assert f"<!--trainers-->\n{figures.trainers_table()}\n<!---->" in (
        ASSETS.parent / "docs" / "trainers.md"
    ).read_text(encoding="utf-8"), "run: python -m scripts.figures"


@pytest.mark.parametrize("key", TRAINERS)
def test_entry_is_told_in_both_languages(key):
    korean, english = (TRAINERS[key].texts[language] for language in ("ko", "en"))
    assert korean.keys() == english.keys() == {"variant", "what", "long", "mend"}
    for name in korean:
        assert korean[name].strip() and english[name].strip()
        assert korean[name].count("`") % 2 == english[name].count("`") % 2 == 0
    assert (
        TRAINERS[key].source
        == f"https://pypi.org/project/{TRAINERS[key].source.split('/')[-3]}/{TRAINERS[key].version}/"
    )


# --- TRL itself


@pytest.fixture(scope="module")
def small_model():
    """As large as the vocabulary asks for, and no larger."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(llama3_chat().tokenizer),
            hidden_size=8,
            intermediate_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            num_key_value_heads=1,
        )
    )


@pytest.fixture
def trl(small_model, tmp_path):
    """What TRL's own preparation makes of rows: their ids and labels as the model would get them."""

    def prepare(row, *, template=LLAMA3, adds_bos=False, **settings):
        tokenizer = tokenizer_of(template, trl=True, adds_bos=adds_bos)
        config = SFTConfig(output_dir=str(tmp_path), report_to=[], use_cpu=True, bf16=False, **settings)
        trainer = SFTTrainer(small_model, config, train_dataset=Dataset.from_list([row]), processing_class=tokenizer)
        batches = [trainer.data_collator([one]) for one in trainer.train_dataset]
        return [(batch["input_ids"][0].tolist(), batch["labels"][0].tolist()) for batch in batches]

    return prepare


def rendered(messages=TOY):
    """Prompt and completion as somebody renders them by hand."""
    tokenizer = tokenizer_of(LLAMA3)
    prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    return {"prompt": prompt, "completion": f"{messages[-1]['content']}<|eot_id|>"}


def given_ids(messages=TOY):
    row = ours(messages)
    return {"input_ids": row.input_ids, "labels": row.labels}


def given_mask(messages=TOY):
    row = ours(messages)
    return {"input_ids": row.input_ids, "completion_mask": [int(label != IGNORED) for label in row.labels]}


DATA = {
    "trl-messages": lambda messages: (
        {"messages": messages},
        {"assistant_only_loss": True, "template": llama3_training_chat_template},
    ),
    "trl-completion": lambda messages: ({"prompt": messages[:-1], "completion": messages[-1:]}, {}),
    "trl-strings": lambda messages: (rendered(messages), {"adds_bos": True}),
    "trl-text": lambda messages: ({"text": "".join(rendered(messages).values())}, {"adds_bos": True}),
    "trl-labels": lambda messages: (given_ids(messages), {}),
    "trl-mask": lambda messages: (given_mask(messages), {}),
}


@pytest.mark.parametrize("messages", [TOY, TWO_TURNS, SPACED], ids=["toy", "two_turns", "spaced"])
@pytest.mark.parametrize("key", DATA)
def test_trl_makes_the_row_that_its_entry_makes(trl, key, messages):
    data, settings = DATA[key](messages)
    row = prepared(key, messages)
    assert trl(data, **settings) == [(row.input_ids, row.labels)]


@pytest.mark.parametrize("key", DATA)
def test_trl_cuts_or_removes_a_long_row_as_its_entry_does(trl, key):
    data, settings = DATA[key](LONG)
    row = prepared(key, LONG)
    assert trl(data, **settings) == ([] if row is None else [(row.input_ids, row.labels)])


SPLIT = {"prompt": TOY[:-1], "completion": TOY[-1:]}
MENDS = {  # entry -> the data, the settings that its `mend` names, and the conversation whose official row they give
    "trl-messages": lambda: (
        {"messages": LONG},
        {"assistant_only_loss": True, "template": llama3_training_chat_template, "max_length": None},
        LONG,
    ),
    "trl-template": lambda: (SPLIT, {"template": DATED}, TOY),
    "trl-completion": lambda: ({"prompt": LONG[:-1], "completion": LONG[-1:]}, {"max_length": None}, LONG),
    "trl-strings": lambda: (
        rendered() | {"prompt": rendered()["prompt"].removeprefix("<|begin_of_text|>")},
        {"adds_bos": True},
        TOY,
    ),
    "trl-text": lambda: (SPLIT, {"adds_bos": True}, TOY),
    "trl-labels": lambda: (given_ids(LONG), {"max_length": None}, LONG),
    "trl-mask": lambda: (given_mask(), {"completion_only_loss": True}, TOY),
}


@pytest.mark.parametrize("key", MENDS)
def test_setting_that_mends_gives_the_official_row_in_trl(trl, key):
    data, settings, messages = MENDS[key]()
    template = settings.get("template", LLAMA3)
    official = ChatFormat(tokenizer_of(template if template == DATED else LLAMA3))
    row = official.encode_row(messages)
    assert trl(data, **settings) == [(row.input_ids, row.labels)]


def test_every_entry_of_trl_is_mended():
    assert set(MENDS) == {key for key, trainer in TRAINERS.items() if trainer.name == "TRL"}


def test_trl_refuses_a_template_that_does_not_mark_its_answers(trl):
    assert TRAINERS["trl-template"].refuses
    with pytest.raises(ValueError, match="generation"):
        trl({"messages": TOY}, assistant_only_loss=True, template=DATED)


@pytest.mark.parametrize("key", DATA)
def test_pasted_control_token_becomes_in_trl_what_the_entry_says(trl, key):
    pasted = [TOY[0], {"role": "user", "content": "비가 <|eot_id|> 올까요?"}, TOY[2]]
    data, settings = DATA[key](pasted)
    [(ids, _)] = trl(data, **settings)
    assert ids.count(END) == (4 if TRAINERS[key].pasted == "control" else 3)


def test_others_are_run_with_the_versions_of_their_entries():
    pins = {pin for packages in PACKAGES.values() for pin in packages}
    for trainer in TRAINERS.values():
        if trainer.name != "TRL":
            versions = [f"{trainer.source.split('/')[-3]} {trainer.version}", *filter(None, trainer.beside.split(", "))]
            assert {version.replace(" ", "==") for version in versions} <= pins


def test_entries_of_trl_are_of_the_version_that_is_asked():
    assert {trainer.version for trainer in TRAINERS.values() if trainer.name == "TRL"} == {version("trl")}
