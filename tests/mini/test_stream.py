import random
from dataclasses import replace

import pytest
from transformers import AutoTokenizer

from newsft.mini import tasks
from newsft.mini.schedule import phase_at
from newsft.mini.stream import Stream, _weigh
from newsft.mini.tokenizer import ASSET

LAST = phase_at(1_000_000)
NAME = "비오랑항공"


@pytest.fixture(scope="module")
def stream():
    return Stream(AutoTokenizer.from_pretrained(ASSET), steps=1, tokens=2000, micro_tokens=2000)


def weights_of(stream, phase, answer, name=NAME):
    row, _ = stream._encode([{"role": "user", "content": f"{name}이 날았다."}, {"role": "assistant", "content": answer}])
    begin = row.text.rindex(name)
    weights = _weigh(row, phase, companies=[name])
    return [weight for weight, (start, end) in zip(weights, row.spans, strict=True) if begin <= start < end <= begin + len(name)], weights, row


def test_a_name_in_an_answer_weighs_more_and_is_never_read_in_own_words(stream):
    named, _, _ = weights_of(stream, LAST, f"이 소식은 {NAME}에 좋습니다.")
    assert named and set(named) == {LAST.told * LAST.named} and LAST.told not in named  # own words are those that weigh `told`
    first, *rest = weights_of(stream, LAST, f"{{'positive_impact_stocks': ['{NAME}']}}")[0]
    assert first == LAST.decided and rest and set(rest) == {LAST.told * LAST.named}


def test_a_name_in_the_article_weighs_what_is_read(stream):
    _, weights, row = weights_of(stream, LAST, f"{NAME}입니다.")
    assert {weight for weight, origin in zip(weights, row.origins, strict=True) if origin == "user"} == {LAST.read}


def test_without_a_weight_of_its_own_a_name_weighs_as_what_is_told(stream):
    assert set(weights_of(stream, replace(LAST, named=1.0), f"이 소식은 {NAME}에 좋습니다.")[0]) == {LAST.told}


def test_end_of_the_last_string_is_a_decision_where_the_phase_says_so(stream):
    row, _ = stream._encode([{"role": "user", "content": "기사"}, {"role": "assistant", "content": "{'summary': '줄었습니다.'}"}])
    for phase, weight in ((LAST, LAST.decided), (replace(LAST, further=()), LAST.told)):
        ends = [weight for weight, (start, end) in zip(_weigh(row, phase), row.spans, strict=True) if row.text[start:end].endswith("'}")]
        assert ends == [weight]


def test_keys_behind_the_first_are_decisions_where_the_phase_says_so(stream):
    answer = "{'negative_keywords': [], 'reason_for_negative_impact': '파업 때문입니다.', 'summary': '줄었습니다.'}"
    row, _ = stream._encode([{"role": "user", "content": "기사"}, {"role": "assistant", "content": answer}])
    begin = row.text.index(answer)

    def weigh_key(phase, key):
        first = begin + answer.index(key)
        return {weight for weight, (start, end) in zip(_weigh(row, phase), row.spans, strict=True) if first <= start < end <= first + len(key)}

    for key in ("reason_for_negative_impact", "summary"):
        assert weigh_key(LAST, key) == {LAST.decided}
        assert weigh_key(replace(LAST, further=("ends",)), key) == {LAST.told}
    assert weigh_key(LAST, "negative_keywords") == {LAST.told}


def test_names_of_the_last_phase_are_told_apart(stream):
    rng = random.Random(3)
    seen = 0
    for _ in range(30):
        for one in tasks.draw_decisions(rng, lists=1.0):
            row, _ = stream._encode(one.messages)
            seen += LAST.told * LAST.named in _weigh(row, LAST, companies=one.effects)
    assert seen > 20
