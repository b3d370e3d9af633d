import json
from pathlib import Path

import pytest

from newsft import answers
from newsft.answers import KEYS, Counts, is_grounded, read_answer

REAL = Path(__file__).parents[2] / "shared" / "real"
FULL = {
    "is_stock_related": True,
    "negative_impact_stocks": [],
    "negative_keywords": [],
    "positive_impact_stocks": ["새빛 전자", "한들제약"],
    "positive_keywords": ["공급계약"],
    "reason_for_negative_impact": "",
    "reason_for_positive_impact": "계약을 맺었다.",
    "summary": "새빛 전자가 '대형' 계약을 맺었다.",
}
UNRELATED = dict.fromkeys(KEYS) | {"is_stock_related": False, "summary": "비가 왔다."}


@pytest.mark.parametrize("value", [FULL, UNRELATED], ids=["related", "unrelated"])
def test_answer_in_the_trained_form_is_read_whole(value):
    answer = read_answer(f"\n {value} \n")
    assert answer.readable and answer.values == value


def test_every_shipped_gold_answer_is_readable(rows):
    for row in rows:
        answer = read_answer(str(row["assistant"]))
        assert answer.readable, row["assistant"]
        assert answer.values == row["assistant"]


@pytest.mark.parametrize("name", ["test_0", "train_345"])
def test_published_gold_answer_is_readable(name):
    if not REAL.is_dir():
        pytest.skip("the two published rows are not here")
    gold = json.loads((REAL / f"{name}.json").read_text(encoding="utf-8"))["messages"][2]["content"]
    answer = read_answer(gold)
    assert answer.readable and answer.stocks()


def test_keys_in_another_order_and_extra_keys_are_read():
    answer = read_answer(str({"comment": 1} | dict(reversed(FULL.items()))))
    assert answer.readable and answer.values == FULL


def test_json_is_not_taken_for_a_python_dict():
    assert read_answer(json.dumps(FULL, ensure_ascii=False)).problem == answers.SYNTAX


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", answers.NO_DICT),
        ("이 뉴스는 긍정적입니다.", answers.NO_DICT),
        (f"```python\n{FULL}\n```", answers.NO_DICT),
        (f"답변: {FULL}", answers.NO_DICT),
        (str(FULL)[:60], answers.BROKEN_OFF),
        (str(FULL)[:-1], answers.BROKEN_OFF),
        ("{'summary': '... '동네가게 오래함께' 캠페인 ...'}", answers.SYNTAX),
        ("{'summary': open('/etc/passwd').read()}", answers.SYNTAX),
        ("{[]: 1}", answers.SYNTAX),
        ("{'summary': '\ud800'}", answers.SYNTAX),
        ("{'summary': 9" + "9" * 6000 + "}", answers.SYNTAX),
        ("{1, 2}", answers.NOT_A_DICT),
        ("{}", answers.MISSING_KEYS),
        ("{'가': 1} 끝 {", answers.BROKEN_OFF),
        (str(FULL | {"summary": "가" * 20_001}), answers.TOO_LONG),
        ("{" * 5000, answers.BROKEN_OFF),
        ("{'a':" * 4000, answers.BROKEN_OFF),
        ("{'a':" + "-" * 15_000 + "1}", answers.SYNTAX),
        ("{\0", answers.BROKEN_OFF),
    ],
)
def test_unreadable_text_says_why_and_never_raises(text, problem):
    answer = read_answer(text)
    assert (answer.problem, answer.readable, answer.values) == (problem, False, {})


def test_position_points_at_the_character_that_stops_the_reading():
    good = "{'is_stock_related': True,\n 'summary': "
    assert read_answer(good + "true]}").position == len(good + "true")
    assert read_answer(good + "!}").position == len(good)


def test_missing_keys_are_named_and_the_others_kept():
    answer = read_answer("{'is_stock_related': False, 'summary': '비가 왔다.'}")
    assert answer.problem == answers.MISSING_KEYS
    assert answer.missing == KEYS[1:-1]
    assert answer.values == {"is_stock_related": False, "summary": "비가 왔다."}


@pytest.mark.parametrize(
    "key, value",
    [
        ("is_stock_related", "True"),
        ("is_stock_related", 1),
        ("is_stock_related", None),
        ("positive_impact_stocks", "새빛전자"),
        ("positive_impact_stocks", [["새빛전자"]]),
        ("negative_keywords", {"가": 1}),
        ("negative_keywords", False),
        ("summary", ["가"]),
        ("reason_for_positive_impact", 3),
    ],
)
def test_value_of_the_wrong_kind_is_named_and_left_out(key, value):
    answer = read_answer(str(FULL | {key: value}))
    assert (answer.problem, answer.missing) == (answers.WRONG_TYPE, (key,))
    assert answer.values == {other: held for other, held in FULL.items() if other != key}


@pytest.mark.parametrize("absent", [None, [], ""])
def test_any_way_of_saying_nothing_is_readable(absent):
    changed = {key: absent for key in KEYS if key not in ("is_stock_related",)}
    assert read_answer(str(FULL | changed)).readable


def test_stocks_carry_their_direction_and_ignore_spacing():
    answer = read_answer(str(FULL | {"negative_impact_stocks": ["ＡＢ 상사"]}))
    assert answer.stocks() == {("+", "새빛전자"), ("+", "한들제약"), ("-", "AB상사")}
    assert read_answer(str(UNRELATED)).stocks() == set()


@pytest.mark.parametrize(
    "name, grounded",
    [("새빛 전자", True), ("새빛전자", True), ("ＡＢ상사", True), ("새빛건설", False), ("", False), (" ", False)],
)
def test_grounding_ignores_spacing_and_width_only(name, grounded):
    assert is_grounded(name, "새빛전자와 AB 상사가 만났다.") is grounded


def test_counts_add_up_over_answers():
    counts = Counts()
    counts.add({"가", "나", "다"}, {"가", "나", "라"})
    counts.add(set(), {"마"})
    counts.add({"바"}, set())
    assert (counts.hits, counts.wrong, counts.missed) == (2, 2, 2)
    assert (counts.precision, counts.recall, counts.f1) == (0.5, 0.5, 0.5)


def test_precision_and_recall_are_told_apart():
    counts = Counts()
    counts.add({"가", "나", "다", "라"}, {"가"})
    assert (counts.precision, counts.recall, counts.f1) == (0.25, 1.0, 0.4)


def test_scores_of_nothing_are_zero_not_an_error():
    assert (Counts().precision, Counts().recall, Counts().f1) == (0.0, 0.0, 0.0)
