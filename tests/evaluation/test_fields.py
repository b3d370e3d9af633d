import pytest

from newsft.evaluation.answer import KEYS, Answer, read_answer
from newsft.evaluation.fields import Counts, compare_fields, find_both_sided, has_same_reasons, is_grounded, stocks_of

ARTICLE = "새빛전자가 한들제약과 공급 계약을 맺었다. 마루상사는 계약을 잃었다."
GOLD = Answer(
    {
        "is_stock_related": True,
        "negative_impact_stocks": ["마루상사"],
        "negative_keywords": ["계약 상실"],
        "positive_impact_stocks": ["새빛전자", "한들제약"],
        "positive_keywords": ["공급 계약"],
        "reason_for_negative_impact": "계약을 잃었다.",
        "reason_for_positive_impact": "계약을 맺었다.",
        "summary": "새빛전자가 계약을 맺었다.",
    }
)
NOTHING = Answer(dict.fromkeys(KEYS) | {"is_stock_related": False, "summary": "비가 왔다."})


def changed(**values):
    return Answer(GOLD.values | values)


def test_the_gold_answer_agrees_with_itself():
    compared = compare_fields(GOLD, GOLD, ARTICLE)
    assert {key: field.score for key, field in compared.fields.items()} == dict.fromkeys(KEYS, 1.0)


def test_both_lists_empty_is_nothing_to_compare():
    for absent in (None, [], ""):
        compared = compare_fields(Answer(NOTHING.values | {"positive_impact_stocks": absent}), NOTHING, ARTICLE)
        assert compared.fields["positive_impact_stocks"].score is None
        assert compared.fields["is_stock_related"].score == 1


def test_swapped_sides_are_wrong_and_told_from_other_mistakes():
    answer = changed(negative_impact_stocks=["새빛전자"], positive_impact_stocks=["한들제약", "가온"])
    fields = compare_fields(answer, GOLD, ARTICLE).fields
    negative, positive = fields["negative_impact_stocks"], fields["positive_impact_stocks"]
    assert (negative.score, negative.swapped, negative.false_negatives) == (0.0, {"새빛전자"}, {"마루상사"})
    assert (positive.score, positive.true_positives, positive.false_positives, positive.swapped) == (
        0.5,
        {"한들제약"},
        {"가온"},
        set(),
    )


def test_a_name_given_twice_counts_once():
    field = compare_fields(
        changed(positive_impact_stocks=["새빛전자", "새빛 전자", "㈜새빛전자"]), GOLD, ARTICLE
    ).fields["positive_impact_stocks"]
    assert (field.true_positives, field.false_positives, field.false_negatives) == ({"새빛전자"}, set(), {"한들제약"})
    assert field.score == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "name", ["㈜새빛전자", "새빛전자(주)", "주식회사 새빛전자", "새빛 전자", "새빛전자 Inc.", "새빛전자 Co., Ltd."]
)
def test_legal_form_space_and_width_do_not_make_another_company(name):
    assert stocks_of(Answer({"positive_impact_stocks": [name]})) == {("+", "새빛전자")}


@pytest.mark.parametrize("name", ["새빛", "새빛전자우", "새빛 전자부품"])
def test_other_differences_do(name):
    assert stocks_of(Answer({"positive_impact_stocks": [name]})) != {("+", "새빛전자")}


def test_a_name_that_is_only_a_legal_form_stays():
    assert stocks_of(Answer({"positive_impact_stocks": ["주식회사"]})) == {("+", "주식회사")}


def test_what_could_not_be_read_is_wrong_where_gold_has_something():
    compared = compare_fields(read_answer("기사입니다."), GOLD, ARTICLE)
    assert {field.score for field in compared.fields.values()} == {0.0}


def test_relevance_that_is_missing_is_wrong_also_where_it_is_false():
    assert compare_fields(Answer({}), NOTHING, ARTICLE).fields["is_stock_related"].score == 0


def test_texts_are_scored_by_character_n_grams():
    near = compare_fields(changed(summary="새빛전자가 계약을 맺었습니다."), GOLD, ARTICLE).fields["summary"].score
    far = compare_fields(changed(summary="비가 왔다."), GOLD, ARTICLE).fields["summary"].score
    assert 0.5 < near < 1 and far < 0.2
    assert compare_fields(changed(summary=""), GOLD, ARTICLE).fields["summary"].score == 0
    assert compare_fields(NOTHING, NOTHING, ARTICLE).fields["reason_for_negative_impact"].score is None


def test_what_the_article_does_not_hold_is_found():
    answer = changed(positive_impact_stocks=["새빛 전자", "가온"], positive_keywords=["공급계약", "흑자"])
    assert compare_fields(answer, GOLD, ARTICLE).ungrounded == {
        "positive_impact_stocks": ["가온"],
        "positive_keywords": ["흑자"],
        "negative_keywords": ["계약 상실"],
    }


@pytest.mark.parametrize(
    "name, grounded",
    [("새빛 전자", True), ("㈜새빛전자", True), ("ＡＢ상사", True), ("새빛건설", False), ("", False), (" ", False)],
)
def test_grounding_ignores_space_width_and_legal_form(name, grounded):
    assert is_grounded(name, "새빛전자와 AB 상사가 만났다.") is grounded


def test_counts_add_up_over_answers():
    counts = Counts()
    counts.add({"가", "나", "다"}, {"가", "나", "라"})
    counts.add(set(), {"마"})
    counts.add({"바"}, set())
    assert (counts.true_positives, counts.false_positives, counts.false_negatives) == (2, 2, 2)
    assert (counts.precision, counts.recall, counts.f1) == (0.5, 0.5, 0.5)


def test_precision_and_recall_are_told_apart():
    counts = Counts()
    counts.add({"가", "나", "다", "라"}, {"가"})
    assert (counts.precision, counts.recall, counts.f1) == (0.25, 1.0, 0.4)


def test_scores_of_nothing_are_zero_not_an_error():
    assert (Counts().precision, Counts().recall, Counts().f1) == (0.0, 0.0, 0.0)


def test_a_company_on_both_sides_is_found_whatever_its_legal_form():
    both = {"positive_impact_stocks": ["새빛", "나래", "새빛"], "negative_impact_stocks": ["㈜새빛", "한들"]}
    assert find_both_sided(Answer(both)) == ["새빛"]
    assert find_both_sided(Answer({"positive_impact_stocks": ["새빛"], "negative_impact_stocks": None})) == []
    assert find_both_sided(Answer()) == []


@pytest.mark.parametrize(
    "good, bad, same",
    [
        ("값이 올랐다.", "값이  올랐다.", True),
        ("값이 올랐다.", "값이 내렸다.", False),
        ("", "", False),
        (None, None, False),
    ],
)
def test_one_sentence_as_both_reasons_is_found(good, bad, same):
    assert has_same_reasons(Answer({"reason_for_positive_impact": good, "reason_for_negative_impact": bad})) is same
