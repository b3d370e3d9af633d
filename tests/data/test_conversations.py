"""The column `messages`: read, refused, and trained as the three columns are."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from newsft.data.messages import row_messages
from newsft.data.review import review
from newsft.data.rows import load_rows, split_rows
from newsft.encoding.checks import check_row
from newsft.encoding.fidelity import find_id_difference, find_text_difference
from newsft.encoding.row import IGNORED
from newsft.errors import UserError
from newsft.evaluation.article import encode_article
from newsft.evaluation.comparison import GoldAnswers
from newsft.fingerprints import fingerprint_rows
from tests import tiny

SYSTEM = {"role": "system", "content": "뉴스를 읽고 답합니다."}


def user(text):
    return {"role": "user", "content": text}


def answer(text, **flags):
    return {"role": "assistant", "content": text, **flags}


LONG = [SYSTEM, user("가람테크가 수주했다."), answer("호재입니다."), user("왜?"), answer("수주했기 때문입니다.")]
SHORT = [user("달빛조선이 배를 잃었다."), answer("악재입니다.")]


def write(path, *conversations, **columns):
    return str(tiny.write_rows(path, [{"messages": messages, **columns} for messages in conversations]))


def trained_texts(chat, messages):
    """The stretches of a row that are trained, each with the end of its turn."""
    row, texts, before = chat.encode_row(messages), [], IGNORED
    for label, (first, last) in zip(row.labels, row.spans, strict=True):
        if label != IGNORED:
            texts += [""] if before == IGNORED else []
            texts[-1] += row.text[first:last]
        before = label
    return texts


def test_conversation_of_one_question_is_the_row_of_the_three_columns(tmp_path):
    rows = tiny.make_rows(4)
    flat = load_rows(str(tiny.write_rows(tmp_path / "flat.jsonl", rows)))
    told = load_rows(write(tmp_path / "told.jsonl", *map(row_messages, rows)))
    assert told == flat and fingerprint_rows(told) == fingerprint_rows(flat)


def test_conversation_of_several_questions_is_kept_whole(tmp_path):
    rows = load_rows(write(tmp_path / "rows.jsonl", LONG, SHORT))
    assert [row_messages(row) for row in rows] == [LONG, SHORT]
    assert rows[1]["system_prompt"] == "" and "earlier" not in rows[1]
    assert fingerprint_rows(rows[:1]) != fingerprint_rows([rows[0] | {"earlier": LONG[1:2]}])


def test_parquet_is_read_as_jsonl_is(tmp_path):
    conversations = [[*LONG[:2], answer("호재입니다.", train=False), *LONG[3:]], SHORT]
    table = pa.table({"messages": conversations})  # every message gets all keys, None where it had none
    pq.write_table(table, tmp_path / "rows.parquet")
    lines = write(tmp_path / "rows.jsonl", *conversations)
    assert load_rows(str(tmp_path / "rows.parquet")) == load_rows(lines)


@pytest.mark.parametrize("flag", [{"train": False}, {"weight": 0}, {"weight": 0.0}, {"train": False, "weight": 0}])
def test_answer_with_a_flag_is_read_and_not_trained(flag, tmp_path, chat):
    [row, _] = load_rows(write(tmp_path / "rows.jsonl", [*LONG[:2], answer("호재입니다.", **flag), *LONG[3:]], SHORT))
    messages = row_messages(row)
    assert trained_texts(chat, LONG) == ["호재입니다.<|eot_id|>", "수주했기 때문입니다.<|eot_id|>"]
    assert trained_texts(chat, messages) == ["수주했기 때문입니다.<|eot_id|>"]
    encoded = chat.encode_row(messages)
    assert encoded.input_ids == chat.encode_row(LONG).input_ids
    assert all(check_row(chat, messages, encoded).values())
    assert find_text_difference(chat, messages, encoded) is find_id_difference(chat, messages, encoded) is None


@pytest.mark.parametrize("flag", [{"train": True}, {"weight": 1}, {"weight": 1.0}, {"train": None}])
def test_flag_that_says_what_is_done_anyway_changes_nothing(flag, tmp_path):
    flagged = [*LONG[:2], answer("호재입니다.", **flag), *LONG[3:]]
    assert load_rows(write(tmp_path / "a.jsonl", flagged)) == load_rows(write(tmp_path / "b.jsonl", LONG))


def test_what_follows_the_last_trained_answer_is_left_out_and_told(tmp_path):
    told = []
    ends = [[*LONG, user("고맙습니다.")], [*LONG, user("더?"), answer("없습니다.", weight=0)], SHORT]
    rows = load_rows(write(tmp_path / "rows.jsonl", *ends), tell=told.append)
    assert [row_messages(row) for row in rows] == [LONG, LONG, SHORT]
    assert [text for text in told if "left out" in text] == [
        "what follows the last trained answer is left out in 2 row(s) (rows 0, 1)"
    ]


def test_parts_of_text_are_joined(tmp_path):
    parts = [user([{"type": "text", "text": "가람테크가 "}, {"type": "text", "text": "수주했다."}]), answer("호재")]
    [row] = load_rows(write(tmp_path / "rows.jsonl", parts))
    assert row["user_prompt"] == "가람테크가 수주했다."


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (None, "no list of messages"),
        ([], "no list of messages"),
        ("뉴스", "no list of messages"),
        (["뉴스"], "no role"),
        ([{"role": "narrator", "content": "뉴스"}], "no role of system, user, assistant in message 0 but 'narrator'"),
        ([user(3), answer("답")], "no text in message 0"),
        ([user(None), answer("답")], "no text in message 0"),
        ([user([]), answer("답")], "part of the type none"),
        ([user(["뉴스"]), answer("답")], "part of the type None"),
        (
            [user([{"type": "image_url", "image_url": {}}]), answer("답")],
            "part of the type image_url in message 0.*no images",
        ),
        (
            [user("뉴스"), {"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}],
            "calls a tool in message 1",
        ),
        ([user("뉴스"), {"role": "tool", "content": "3"}, answer("답")], "calls a tool in message 1"),
        ([user("뉴스"), answer("답", weight=0.5)], "weight 0.5 in message 1; write 0 or 1"),
        ([user("뉴스"), answer("답", train=True, weight=0)], "contradict each other"),
        ([{**user("뉴스"), "train": True}, answer("답")], "only answers of the assistant"),
        ([user("뉴스"), answer("답", train=False)], "no answer of the assistant that is trained"),
        ([user("뉴스")], "no answer of the assistant that is trained"),
        ([answer("답")], "no message of the user right before"),
        ([SYSTEM, answer("답")], "no message of the user right before"),
        ([user(" "), answer("답")], "a message of the user without text"),
        ([user("뉴스"), answer("\n")], "a message of the assistant without text"),
    ],
)
def test_what_is_no_conversation_is_refused_by_its_row(messages, reason, tmp_path):
    with pytest.raises(UserError, match=rf"1 of 2 row\(s\) hold no conversation .*\(rows 1\)\. Row 1 .*{reason}"):
        load_rows(write(tmp_path / "rows.jsonl", SHORT, messages))


def test_tools_are_refused_and_other_columns_told(tmp_path):
    with pytest.raises(UserError, match="Row 0 has tools; only text is trained"):
        load_rows(write(tmp_path / "tools.jsonl", SHORT, tools=[{"type": "function"}]))
    told = []
    load_rows(write(tmp_path / "rows.jsonl", SHORT, id=3, tools=[]), tell=told.append)
    assert told == ["the column(s) id are left out"]


def test_three_columns_go_before_messages(tmp_path):
    rows = [row | {"messages": SHORT} for row in tiny.make_rows(2)]
    told = []
    assert load_rows(str(tiny.write_rows(tmp_path / "rows.jsonl", rows)), tell=told.append) == tiny.make_rows(2)
    assert told == ["the column(s) messages are left out"]


def test_texts_are_normalised_wherever_they_stand(tmp_path):
    decomposed = "\u1112\u1161\u11ab"  # 한
    [row] = load_rows(write(tmp_path / "rows.jsonl", [user(decomposed), answer(decomposed), *LONG[3:]]))
    assert [message["content"] for message in row["earlier"]] == ["한", "한"]


def test_repeated_last_questions_of_different_conversations_are_no_repetition(tmp_path):
    other = [SYSTEM, user("달빛조선이 배를 잃었다."), answer("악재입니다."), *LONG[3:]]
    rows = load_rows(write(tmp_path / "rows.jsonl", *[LONG, other] * 2))
    assert not any("repeat" in found for found in review(split_rows(rows[:2], test_ratio=0.5)))
    assert any("have the news of a test row" in found for found in review(split_rows(rows, test_ratio=0.5)))


def test_evaluation_asks_the_last_question_behind_what_was_said_earlier(tmp_path, chat):
    rows = load_rows(write(tmp_path / "rows.jsonl", LONG, SHORT))
    prompt = encode_article(chat, rows[0], room=1000, number=0)
    assert prompt.messages == LONG[:-1] and prompt.ids == chat.encode_prompt(LONG[:-1]).input_ids
    assert GoldAnswers(rows).find("왜?")[0] is None  # alone it is another question
    assert GoldAnswers(rows).find("달빛조선이 배를 잃었다.")[0] == 1


def test_training_goes_through_with_several_trained_answers(tmp_path):
    from newsft.models.load import load_base
    from newsft.recipe import RECIPES
    from newsft.training.preflight import encode_rows, preflight

    loaded = load_base(str(tiny.write_model(tmp_path / "model")))
    rows = load_rows(write(tmp_path / "rows.jsonl", LONG, SHORT))
    report = preflight(loaded, rows, encode_rows(loaded, rows, RECIPES["mini"]), RECIPES["mini"])
    ids = [len(loaded.chat.encode_text(message["content"]).ids) for message in (LONG[2], LONG[4], SHORT[1])]
    assert report.failures == [] and report.trained_tokens == sum(ids) + 3
    assert json.loads((tmp_path / "rows.jsonl").read_text().splitlines()[0])["messages"] == LONG
