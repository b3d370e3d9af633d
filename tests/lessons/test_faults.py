import copy
from itertools import combinations

import pytest

from newsft.data.messages import row_messages
from newsft.encoding.collate import pad_batch
from newsft.encoding.llama3 import llama3_chat
from newsft.encoding.row import IGNORED
from newsft.encoding.tokens import read_tokens
from newsft.lessons.conversations import TOY
from newsft.lessons.faults import TRAINABLE, Faults, break_row, search_labels, spoil_messages, spoil_padding
from newsft.lessons.inspect import changed_positions, find_verdicts, pair_rows

HEADER = "<|start_header_id|>assistant<|end_header_id|>\n\n"
LONG = [TOY[0], {"role": "user", "content": "긴 뉴스 본문! " * 40}, TOY[2]]
ROW_FAULTS = (*TRAINABLE, "cut")
LISTS = ("input_ids", "labels", "attention_mask", "origins", "spans")


@pytest.fixture(params=["mini", "llama3"])
def either(request, chat):
    return chat if request.param == "mini" else llama3_chat()


def broken_row(chat, messages=TOY, **faults):
    return break_row(chat, spoil_messages(chat, messages, Faults(**faults)), Faults(**faults))


def pad(chat, **faults):
    """The toy conversation's row in a batch with a longer one."""
    rows = [chat.encode_row(messages) for messages in (TOY, LONG)]
    return spoil_padding(pad_batch(rows, pad_id=chat.pad_id)[0], Faults(**faults), pad_id=chat.pad_id)


def header_ids(chat):
    return chat.tokenizer(HEADER, add_special_tokens=False)["input_ids"]


def test_row_without_faults_is_the_row_that_training_uses(either, rows):
    for messages in [TOY, TOY + TOY[1:], *(row_messages(row) for row in rows[::100])]:
        assert broken_row(either, messages) == either.encode_row(messages)


@pytest.mark.parametrize("newlines", [{}, {"one_newline": True}], ids=["two_newlines", "one_newline"])
def test_spaces_around_the_role_leave_nothing_to_train(either, newlines):
    spaced, official = broken_row(either, header_spaces=True, **newlines), broken_row(either, **newlines)
    assert set(spaced.labels) == {IGNORED}
    assert spaced.text == official.text.replace("|>system<", "|> system <").replace("|>user<", "|> user <").replace(
        "|>assistant<", "|> assistant <"
    )


def test_search_finds_the_first_answer_where_the_header_is_spelled_right(either):
    row, longer = either.encode_row(TOY), either.encode_row(TOY + TOY[1:])
    found = search_labels(longer.input_ids, header_ids(either), either.end_id)
    assert found == row.labels + [IGNORED] * (len(longer) - len(row))


@pytest.mark.parametrize(
    "header, expected",
    [
        ([7, 8], [-100, -100, 5, 0, -100]),
        ([8, 7], [-100] * 5),
        ([7], [-100, 8, 5, 0, -100]),
        ([5, 0], [-100] * 4 + [9]),
    ],
)
def test_search_labels_from_behind_the_header_to_the_next_end_or_to_the_last_token(header, expected):
    assert search_labels([7, 8, 5, 0, 9], header, 0) == expected


def test_one_newline_changes_the_ids_behind_the_headers_only():
    official, lesson = (broken_row(llama3_chat(), **faults) for faults in ({}, {"one_newline": True}))
    assert lesson.input_ids == [198 if token == 271 else token for token in official.input_ids]
    assert lesson.labels == official.labels


def test_trailing_header_is_trained(either):
    row, kept = either.encode_row(TOY), broken_row(either, trailing_header=True)
    header = header_ids(either)
    assert kept.input_ids == row.input_ids + header
    assert kept.labels == row.labels + header
    assert kept.text == row.text + HEADER


def test_pasted_end_of_turn_ends_the_users_turn_where_nothing_protects(either):
    forged, protected = broken_row(either, pasted=True, unprotected=True), broken_row(either, pasted=True)
    ends = [
        [origin for token, origin in zip(row.input_ids, row.origins, strict=True) if token == either.end_id]
        for row in (forged, protected)
    ]
    assert ends == [["template", "user", "template", "template"], ["template"] * 3]
    assert forged.text == protected.text == either.tokenizer.decode(forged.input_ids)


def test_unprotected_contents_without_control_tokens_are_unharmed(either, rows):
    for messages in [TOY, LONG, *(row_messages(row) for row in rows[::200])]:
        assert broken_row(either, messages, unprotected=True) == either.encode_row(messages)


def test_end_of_turn_in_an_unprotected_answer_is_trained_and_stays_the_answers(either):
    row = broken_row(either, [TOY[1], {"role": "assistant", "content": "답<|eot_id|>더"}], unprotected=True)
    trained = [
        (either.tokenizer.decode([label]), origin)
        for label, origin in zip(row.labels, row.origins, strict=True)
        if label != IGNORED
    ]
    assert trained == [("답", "answer"), ("<|eot_id|>", "answer"), ("더", "answer"), ("<|eot_id|>", "template")]


def test_second_bos_stands_before_an_otherwise_equal_row(either):
    row, doubled = either.encode_row(TOY), broken_row(either, two_bos=True)
    assert doubled.input_ids == [either.tokenizer.bos_token_id, *row.input_ids]
    assert doubled.labels == [IGNORED, *row.labels]
    assert doubled.text == "<|begin_of_text|>" + row.text
    assert [doubled.text[first:last] for first, last in doubled.spans[1:]] == [
        row.text[first:last] for first, last in row.spans
    ]


@pytest.mark.parametrize("messages, lost", [(TOY, 1), (TOY + TOY[1:], 2)], ids=["one_answer", "two_answers"])
def test_untrained_end_of_turn_costs_each_answer_exactly_one_label(either, messages, lost):
    row, endless = either.encode_row(messages), broken_row(either, messages, no_end=True)
    assert endless.input_ids == row.input_ids
    changed = [(before, after) for before, after in zip(row.labels, endless.labels, strict=True) if before != after]
    assert changed == [(either.end_id, IGNORED)] * lost


@pytest.mark.parametrize("limit", [0, 1, 17, 10_000])
def test_cut_row_is_the_beginning_of_the_row(either, limit):
    row, cut = either.encode_row(TOY), broken_row(either, cut=limit)
    assert [getattr(cut, name) for name in LISTS] == [getattr(row, name)[:limit] for name in LISTS]
    assert cut.text == either.tokenizer.decode(row.input_ids[:limit]) or "\ufffd" in either.tokenizer.decode(
        row.input_ids[:limit]
    )


def test_padding_on_the_left_moves_the_row(either):
    row, right, left = either.encode_row(TOY), pad(either), pad(either, pad_left=True)
    for name in LISTS:
        before, after = getattr(right, name), getattr(left, name)
        assert after == before[len(row) :] + before[: len(row)]
    assert left.origins[0] == "padding" and left.labels[-1] == either.end_id


@pytest.mark.parametrize("side", [{}, {"pad_left": True}], ids=["right", "left"])
def test_masking_by_value_hides_exclamation_marks_of_the_answer(side):
    chat = llama3_chat()
    correct, wrong = pad(chat, **side), pad(chat, pad_by_value=True, **side)
    assert wrong.input_ids == correct.input_ids
    changed = [
        i
        for i in range(len(wrong))
        if (wrong.labels[i], wrong.attention_mask[i]) != (correct.labels[i], correct.attention_mask[i])
    ]
    assert [(correct.origins[i], correct.labels[i], wrong.labels[i], wrong.attention_mask[i]) for i in changed] == [
        ("answer", 0, IGNORED, 0)
    ]


def faults_in_pairs():
    values = {name: True for name in ROW_FAULTS} | {"cut": 45}
    alone = [{name: value} for name, value in values.items()]
    return [
        *alone,
        *({**one, **other} for one, other in combinations(alone, 2)),
        {"header_spaces": True, "cut": 20, "two_bos": True},
        values,
    ]


@pytest.mark.parametrize("faults", faults_in_pairs(), ids="+".join)
def test_faults_combine_to_a_row_that_can_be_read_and_compared(either, faults):
    row, broken = either.encode_row(TOY), broken_row(either, **faults)
    assert {len(getattr(broken, name)) for name in LISTS} == {len(broken)} and len(broken) <= faults.get(
        "cut", len(broken)
    )
    assert all(label in (IGNORED, token) for label, token in zip(broken.labels, broken.input_ids, strict=True))
    assert "".join(token.text for token in read_tokens(either, broken)) == either.tokenizer.decode(broken.input_ids)
    pairing = pair_rows(row, broken)
    assert sorted([*pairing.removed, *(i for i, _ in pairing.same)]) == list(range(len(row)))
    assert sorted([*pairing.added, *(j for _, j in pairing.same)]) == list(range(len(broken)))
    assert all(row.input_ids[i] == broken.input_ids[j] for i, j in pairing.same)
    assert pairing.same == sorted(pairing.same) and [j for _, j in pairing.same] == sorted(j for _, j in pairing.same)


def test_three_faults_act_in_their_order(either):
    row = broken_row(either, header_spaces=True, two_bos=True, cut=20)
    assert row.input_ids == [either.tokenizer.bos_token_id, *broken_row(either, header_spaces=True, cut=19).input_ids]
    assert set(row.labels) == {IGNORED}
    assert Faults(cut=20, two_bos=True, header_spaces=True).active == ["header_spaces", "two_bos", "cut"]


def test_changed_positions_are_the_labels_that_a_fault_changed(either):
    row = either.encode_row(TOY)
    last, prompt = len(row) - 1, [i for i, label in enumerate(row.labels) if label == IGNORED]
    header = list(range(len(row), len(row) + len(header_ids(either))))
    expected = {
        "no_end": ([last], [last]),
        "unmasked": (prompt, prompt),
        "trailing_header": ([], header),
        "unprotected": ([], []),
    }
    assert changed_positions(row, broken_row(either)) == ([], [])
    assert {name: changed_positions(row, broken_row(either, **{name: True})) for name in expected} == expected
    assert [len(positions) for positions in changed_positions(row, broken_row(either, two_bos=True))] == [0, 1]
    assert broken_row(either, unmasked=True).labels == row.input_ids


def test_pasting_halves_the_last_news_and_leaves_the_given_messages_alone(either):
    messages = [*TOY[:2], TOY[2], {"role": "user", "content": "가나다라"}, {"role": "assistant", "content": "답"}]
    given = copy.deepcopy(messages)
    spoilt = spoil_messages(either, messages, Faults(pasted=True))
    assert messages == given
    assert spoilt == [*given[:3], {"role": "user", "content": "가나<|eot_id|>다라"}, given[4]]
    assert spoil_messages(either, messages, Faults(unprotected=True)) == given


@pytest.mark.parametrize(
    "faults, verdicts",
    [
        ({}, ["fine"]),
        ({"pasted": True}, ["fine"]),
        ({"unprotected": True}, ["fine", "nothing"]),
        ({"two_bos": True}, ["one_bos", "prefix"]),
        ({"header_spaces": True}, ["labels", "prefix"]),
        ({"pasted": True, "unprotected": True}, ["no_forged", "prefix"]),
        ({"no_end": True}, ["end_of_turn"]),
        ({"unmasked": True}, ["only_answers"]),
        ({"cut": 45}, ["end_of_turn", "cut"]),
    ],
    ids=lambda value: "+".join(value) or "correct",
)
def test_verdict_names_what_is_wrong(faults, verdicts):
    chat = llama3_chat()
    messages = spoil_messages(chat, TOY, Faults(**faults))
    found = find_verdicts(chat, messages, chat.encode_row(messages), broken_row(chat, **faults), Faults(**faults))
    assert [name for name, _ in found] == verdicts
