import numpy as np
import pytest

from newsft.evaluation import metrics
from newsft.evaluation.answer import KEYS
from newsft.evaluation.metrics import score_text

GOLD = {
    "is_stock_related": True,
    "negative_impact_stocks": ["나쁨"],
    "negative_keywords": ["적자"],
    "positive_impact_stocks": ["좋음"],
    "positive_keywords": ["수주"],
    "reason_for_negative_impact": "적자 7억이 났기 때문입니다.",
    "reason_for_positive_impact": "수주가 늘었기 때문입니다.",
    "summary": "수주가 늘었습니다.",
}
UNRELATED = dict.fromkeys(KEYS) | {"is_stock_related": False, "summary": "비"}
ROWS = [
    {"system_prompt": "가", "user_prompt": "좋음 나쁨 적자 7억이 났다. 수주가 늘었다.", "assistant": GOLD},
    {"system_prompt": "가", "user_prompt": "비", "assistant": UNRELATED},
]


def scored(*texts):
    return [score_text(number, ROWS[number % 2], text, "end_of_turn") for number, text in enumerate(texts)]


def score(*texts):
    return metrics.score(scored(*texts))


def test_gold_answers_score_full_marks_in_everything():
    found = score(str(GOLD), str(UNRELATED))
    assert {name: found[name] for name in metrics.MEASURES} == dict.fromkeys(metrics.MEASURES, 1.0) | {"loops": 0.0}
    assert found["intervals"]["readable"] == [1.0, 1.0]
    assert (found["readings"], found["problems"], found["stop_reasons"]) == (
        {"strict": 2},
        {"none": 2},
        {"end_of_turn": 2},
    )


def test_stock_on_the_wrong_side_counts_against_precision_and_recall():
    swapped = GOLD | {"negative_impact_stocks": ["좋음"], "positive_impact_stocks": ["나쁨"]}
    found = score(str(swapped), str(UNRELATED))
    assert (found["stock_precision"], found["stock_recall"], found["stock_f1"], found["grounded"]) == (0, 0, 0, 1)


def test_unreadable_answers_count_as_wrong_but_may_name_the_company():
    found = score("좋음에 긍정적입니다.", "비")
    assert (found["readable"], found["is_stock_related_accuracy"], found["stock_f1"], found["names_company"]) == (
        0,
        0,
        0,
        1,
    )
    assert found["grounded"] is None and found["intervals"]["grounded"] is None
    assert found["readings"] == {"unreadable": 2}


def test_repaired_answers_are_not_readable_but_their_values_count():
    found = score(f"```\n{GOLD}\n```", str(UNRELATED)[:-1])
    assert (found["readable"], found["stock_f1"], found["is_stock_related_accuracy"]) == (0, 1, 1)
    assert found["readings"] == {"fence": 1, "broken_off": 1}


def test_invented_stock_lowers_precision_and_grounding():
    found = score(str(GOLD | {"positive_impact_stocks": ["좋음", "없는회사"]}), str(UNRELATED))
    assert found["stock_recall"] == 1
    assert found["stock_precision"] == found["grounded"] == round(2 / 3, 4)


def test_direction_counts_over_stock_articles_whichever_company_is_named():
    other = GOLD | {"negative_impact_stocks": ["수주"], "positive_impact_stocks": ["적자"]}
    assert score(str(other), str(UNRELATED))["direction_accuracy"] == 1
    assert score(str(GOLD | {"positive_impact_stocks": []}), str(UNRELATED))["direction_accuracy"] == 0


def test_words_and_numbers_that_the_article_has_not_lower_faithfulness():
    found = score(str(GOLD | {"summary": "합병이 8건 늘었습니다."}), str(UNRELATED))
    assert 0.5 < found["words_in_article"] < 1 and found["numbers_in_article"] == 0.5


def test_answers_in_a_loop_are_counted():
    assert score(str(GOLD | {"summary": "늘었고 " * 9}), str(UNRELATED))["loops"] == 0.5


def test_kinds_of_article_are_scored_apart():
    only_good = ROWS[0] | {"assistant": GOLD | {"negative_impact_stocks": []}}
    answers = [*scored(str(GOLD), "비"), score_text(2, only_good, "좋음", "limit")]
    kinds = metrics.score(answers)["kinds"]
    assert {kind: found["rows"] for kind, found in kinds.items()} == {"both": 1, "unrelated": 1, "positive": 1}
    assert (kinds["both"]["stock_f1"], kinds["positive"]["stock_f1"], kinds["unrelated"]["stock_f1"]) == (1, 0, None)


def test_fields_are_scored_apart_where_there_is_something_to_score():
    fields = metrics.score(scored(str(GOLD | {"positive_impact_stocks": ["좋음", "없는회사"]}), str(UNRELATED)))[
        "fields"
    ]
    assert fields["positive_impact_stocks"]["score"] == round(2 / 3, 4)  # the F1 of the one row that has stocks
    assert fields["is_stock_related"] == {"score": 1, "interval": [1, 1]}
    assert metrics.score(scored(str(GOLD), "비"))["fields"]["summary"]["score"] == 0.5


@pytest.mark.parametrize("gold", ["호재입니다.", str(GOLD | {"positive_impact_stocks": "좋음"}), {"summary": ["가"]}])
def test_answer_without_a_gold_answer_that_can_be_read_is_measured_by_its_article_alone(gold):
    one = score_text(1, ROWS[0] | {"assistant": gold}, str(GOLD), "end_of_turn")
    assert one.gold is one.score is None and one.kind == "unscored"
    found = metrics.score([*scored(str(GOLD)), one])
    assert (found["rows"], found["readable"], found["words_in_article"]) == (2, 1.0, 1.0)
    assert found["is_stock_related_accuracy"] == found["stock_f1"] == found["summary_chrf"] == 1.0
    alone = metrics.score([one])
    assert alone["stock_f1"] is alone["direction_accuracy"] is alone["names_company"] is None
    assert metrics.compare([one], [one])["stock_f1"] is None


def test_article_may_stand_in_an_earlier_turn():
    earlier = [{"role": "user", "content": ROWS[0]["user_prompt"]}, {"role": "assistant", "content": "네."}]
    one = score_text(0, ROWS[0] | {"user_prompt": "요약해 주세요.", "earlier": earlier}, str(GOLD), "end_of_turn")
    assert not any(one.compared.ungrounded.values()) and one.compared.faithfulness.share == 1.0


def test_interval_of_a_share_is_that_of_the_binomial():
    answers = [score_text(number, ROWS[1], str(UNRELATED) if number % 4 else "비", "limit") for number in range(400)]
    low, high = metrics.score(answers)["intervals"]["readable"]
    half = 1.96 * np.sqrt(0.75 * 0.25 / 400)
    assert low == pytest.approx(0.75 - half, abs=0.01) and high == pytest.approx(0.75 + half, abs=0.01)


def test_difference_is_paired():
    texts = [str(GOLD) if number % 2 == 0 else str(UNRELATED) for number in range(40)]
    broken = ["비" if number < 10 else text for number, text in enumerate(texts)]
    found = metrics.compare(scored(*broken), scored(*texts))["readable"]
    assert found["difference"] == 0.25 and 0.1 < found["interval"][0] < 0.25 < found["interval"][1] < 0.42
    same = metrics.compare(scored(*broken), scored(*broken))["readable"]
    assert same == {"difference": 0.0, "interval": [0.0, 0.0]}


def test_difference_of_other_rows_is_refused():
    with pytest.raises(ValueError, match="same rows"):
        metrics.compare(scored(str(GOLD)), scored(str(GOLD), str(UNRELATED)))


def test_scores_are_the_same_every_time():
    assert score(str(GOLD), "비") == score(str(GOLD), "비")
