import ast
import random

import pytest

from newsft.mini.finding import FINDING
from newsft.mini.reading import Reading
from newsft.mini.written import Written

TASKS = {task.__name__: task for _, task in FINDING}
NEWS = "나온건설은 탑승률이 낮은 오션블랑 매각을 접었다. 금액은 그대로다. 오션블랑을 고르던 손님은 늘었다."
ANSWER = {"positive_impact_stocks": None, "negative_impact_stocks": None}


@pytest.mark.parametrize(
    ("named", "others"),
    [
        ({"company": ["나온건설"], "product": ["오션블랑"]}, {"오션블랑", "탑승률", "금액", "손님"}),
        ({"company": ["나온건설", "오션블랑"]}, {"탑승률", "금액", "손님"}),
    ],
)
def test_companies_are_told_from_other_names_and_subjects(named, others):
    rng, reading, seen = random.Random(1), Reading(Written(NEWS, ANSWER, named)), set()
    for _ in range(200):
        question, answer = TASKS["_companies_among"](rng, reading)
        if question.endswith("회사입니까?"):
            name = question.split()[0][:-1]
            assert answer == ("네, 회사입니다." if name in named["company"] else "아니요, 회사가 아닙니다.")
            continue
        given = question.split(": ")[1].split(". ")[0].split(", ")
        seen.update(given)
        if "파이썬 리스트" in question:
            assert ast.literal_eval(answer) == [name for name in given if name in named["company"]]
    assert seen == others | set(named["company"])


def test_without_a_company_or_another_name_nothing_is_asked():
    assert TASKS["_companies_among"](random.Random(1), Reading(Written(NEWS, ANSWER, {}))) is None
    assert TASKS["_companies_among"](random.Random(1), Reading(Written("끝.", ANSWER, {"company": ["끝"]}))) is None
