"""A row as messages and as its gold answer."""

import pytest

from newsft.data.messages import gold_answer, prompt_messages, row_messages


def test_row_becomes_system_user_and_the_dict_as_text():
    messages = row_messages(
        {"system_prompt": "규칙", "user_prompt": "뉴스", "assistant": {"is_stock_related": False, "summary": None}}
    )
    assert [(message["role"], message["content"]) for message in messages] == [
        ("system", "규칙"),
        ("user", "뉴스"),
        ("assistant", "{'is_stock_related': False, 'summary': None}"),
    ]


def test_blank_system_prompt_makes_no_system_message():
    assert prompt_messages("뉴스", system_prompt=" \n") == [{"role": "user", "content": "뉴스"}]


@pytest.mark.parametrize(
    "held, gold",
    [
        ({"summary": "가"}, {"summary": "가"}),
        ("{'summary': '가', 'x': None}", {"summary": "가", "x": None}),
        ("{'summary': '나온 '가게' 이름'}", None),
        ("['가']", None),
        ("{" * 500, None),
        ("{[]: 1}", None),
    ],
)
def test_gold_answer_is_a_dict_or_none(held, gold):
    assert gold_answer({"assistant": held}) == gold
