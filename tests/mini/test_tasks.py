import ast
import json
import os
import random
import re
from collections import Counter

import pytest

from newsft.mini import corpus, names, phrases, tasks
from newsft.mini.corpus import KEYS
from newsft.mini.schedule import MOST_KEYS


@pytest.fixture(scope="module")
def conversations():
    rng = random.Random(21)
    return [tasks.draw_conversation(rng, most_keys=MOST_KEYS).messages for _ in range(1500)]


def answers_of(conversations):
    return [message["content"] for messages in conversations for message in messages if message["role"] == "assistant"]


def is_list(answer):
    return answer == "[]" or answer.startswith("['")  # a headline may begin with [공시]


@pytest.mark.parametrize("most_keys", [3, MOST_KEYS])
def test_no_answer_has_more_than_some_of_the_eight_keys(most_keys):
    rng = random.Random(22)
    drawn = [tasks.draw_conversation(rng, most_keys=most_keys).messages for _ in range(1500)]
    counts = Counter(sum(key in answer for key in KEYS) for answer in answers_of(drawn))
    assert max(counts) == most_keys < len(KEYS)
    assert counts[most_keys] > 30


def test_no_request_lists_all_eight_keys(conversations):
    for messages in conversations:
        for message in messages:
            assert sum(key in message["content"] for key in KEYS) < len(KEYS)
            assert corpus.SYSTEM_PROMPT not in message["content"]


def test_dict_and_json_answers_parse(conversations):
    forms = Counter()
    for answer in answers_of(conversations):
        introduction, _, body = answer.rpartition("\n") if answer.endswith("}") else ("", "", answer)
        if body.startswith("{"):
            try:
                value = ast.literal_eval(body)
                forms["python"] += 1
            except ValueError:  # true, false and null
                value = json.loads(body)
                forms["json"] += 1
            assert set(value) <= set(KEYS) and 1 <= len(value) <= MOST_KEYS
            assert (introduction in phrases.INTRODUCTIONS) == (len(value) >= tasks.INTRODUCED)
            assert not introduction or introduction in phrases.INTRODUCTIONS
        elif is_list(answer):
            assert all(isinstance(item, str) for item in ast.literal_eval(answer))
            forms["list"] += 1
        else:
            forms["prose"] += 1
    assert min(forms[form] for form in ("python", "json", "list", "prose")) > 50


def test_conversation_alternates_and_ends_with_an_answer(conversations):
    for messages in conversations:
        roles = [message["role"] for message in messages if message["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert [message["role"] for message in messages].count("system") <= 1
        assert all(message["content"].strip() for message in messages)


def test_nothing_unfilled_or_python_none_in_prose(conversations):
    for messages in conversations:
        for message in messages:
            assert not re.search(r"\{\w+(:[가-힣]+)?\}", message["content"]), message["content"]
    for answer in answers_of(conversations):
        if not answer.endswith("}"):
            assert "None" not in answer


def test_pretraining_meets_no_company_of_the_other_parts(monkeypatch):
    asked = []
    original = names.company

    def noting(rng, suffixes, *, part, wild=0.0):
        asked.append(part)
        return original(rng, suffixes, part=part, wild=wild)

    monkeypatch.setattr(names, "company", noting)
    rng = random.Random(4)
    for _ in range(150):
        tasks.draw_conversation(rng)
        tasks.draw_text(rng)
        tasks.draw_decisions(rng, lists=0.5)
    assert len(asked) > 300
    assert set(asked) == {"pretrain"}


def test_pretraining_texts_name_no_company_of_the_test_rows(conversations, rows):
    texts = "\n".join(message["content"] for messages in conversations for message in messages)
    test_names = {name for row in rows[:495] for key in KEYS if key.endswith("stocks") for name in row["assistant"][key] or []}
    # A name may stand inside a longer one, which is another company.
    assert [name for name in test_names if name in texts and re.search(rf"(?<!\w){re.escape(name)}", texts)] == []


def test_same_seed_gives_the_same_documents():
    def draw(seed):
        rng = random.Random(seed)
        return [tasks.draw_conversation(rng) for _ in range(5)], tasks.draw_text(rng)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_answers_about_companies_name_those_of_the_text(conversations):
    checked = 0
    for messages in conversations:
        text = messages[0]["content"] + messages[1]["content"]
        for message in messages:
            if message["role"] == "assistant" and is_list(message["content"]):
                for name in ast.literal_eval(message["content"]):
                    assert name in text
                    checked += 1
    assert checked > 100


def asked(conversation):
    """What the answer was asked about, and the answer."""
    *told, answer = (message["content"] for message in conversation.messages)
    return "\n".join(told), answer


def test_decisions_are_asked_about_companies_of_their_article():
    rng, kinds = random.Random(6), Counter()
    for conversation in (one for _ in range(100) for one in tasks.draw_decisions(rng, lists=0.5)):
        told, answer = asked(conversation)
        if answer in ("긍정적입니다.", "부정적입니다."):
            kinds[answer] += 1
            continue
        ((key, companies),) = ast.literal_eval(answer).items()
        kinds[key, bool(companies)] += 1
        assert key in told and all(company in told for company in companies)
    assert len(kinds) == 6 and min(kinds.values()) > 5, kinds
    assert not any("stocks" in asked(one)[1] for _ in range(20) for one in tasks.draw_decisions(rng, lists=0.0))


def test_decisions_behind_an_article_begin_alike_and_ask_different_things():
    rng, sizes = random.Random(7), Counter()
    for _ in range(60):
        drawn = tasks.draw_decisions(rng, lists=0.5, longest=400)
        sizes[len(drawn)] += 1
        told = [asked(one)[0] for one in drawn]
        assert len(set(told)) == len(drawn)
        if len(drawn) > 1:
            shared = os.path.commonprefix(told)  # noqa: RUF071 - character by character is what is meant
            assert all(name in shared for name in drawn[0].effects) and all(len(one.messages) == len(drawn[0].messages) for one in drawn)
    assert sizes[1] > 15 and sum(sizes[size] for size in (2, 3, 4)) > 25 and max(sizes) == tasks.QUESTIONS_PER_ARTICLE


def test_decisions_about_several_companies_and_keywords():
    rng = random.Random(8)
    for conversation in (one for _ in range(40) for one in tasks.draw_decisions(rng, lists=1.0, pairs=1.0, several=1.0, keywords=1.0, longest=400)):
        told, answer = asked(conversation)
        values = ast.literal_eval(answer)
        assert list(values) == ["negative_impact_stocks", "negative_keywords", "positive_impact_stocks", "positive_keywords"]
        assert len(values["negative_impact_stocks"] + values["positive_impact_stocks"]) >= 2
        assert all(item in told for items in values.values() for item in items)


def test_opposed_decisions_are_about_articles_with_both_directions():
    rng = random.Random(9)
    for conversation in (one for _ in range(20) for one in tasks.draw_decisions(rng, lists=0.5, opposed=1.0)):
        assert {"+", "-"} <= set(conversation.effects.values())
        assert all(name in asked(conversation)[0] for name in conversation.effects)


def test_effects_are_those_that_the_answers_name():
    rng, checked = random.Random(10), 0
    for conversation in (one for _ in range(40) for one in tasks.draw_decisions(rng, lists=1.0, pairs=1.0)):
        values = ast.literal_eval(asked(conversation)[1])
        for key, sign in (("positive_impact_stocks", "+"), ("negative_impact_stocks", "-")):
            assert set(values[key]) == {name for name, effect in conversation.effects.items() if effect == sign}
            checked += len(values[key])
    assert checked > 60
