import ast
import random

import pytest

from newsft.evaluation.answer import KEYS
from newsft.mini import exercises, finding, names
from newsft.mini.copying import QUOTES
from newsft.mini.exercises import MOST_KEYS, draw_conversation, draw_drill
from newsft.mini.keywords import Keywords
from newsft.mini.reading import Reading, because, clean, polite
from newsft.mini.slips import take_marks
from newsft.mini.written import Written, read_written
from tests.mini.test_gold import ROW


@pytest.fixture(scope="module")
def shipped():
    return read_written()


@pytest.fixture(scope="module")
def drawn(shipped):
    rng, keywords = random.Random(1), Keywords(shipped)
    return [
        (article, draw_conversation(rng, article, keywords, judged=0.5, objects=0.6, slips=0.0))
        for article in rng.choices(shipped, k=600)
    ]


@pytest.mark.parametrize(
    ("written", "turned"),
    [
        ("공장을 세웠다.", "공장을 세웠습니다."),
        ("회사는 덜 만든다.", "회사는 덜 만듭니다."),
        ("값이 오른다.", "값이 오릅니다."),
        ("첫 수출이다.", "첫 수출입니다."),
        ("걱정이 없다.", "걱정이 없습니다."),
        ("밥을 먹는다.", "밥을 먹습니다."),
        ("배가 크다.", None),
        ("이미 그렇습니다.", None),
        ("정말?", None),
    ],
)
def test_written_endings_turn_into_polite_ones(written, turned):
    assert polite(written) == turned


@pytest.mark.parametrize(
    ("written", "turned"),
    [
        ("값이 떨어졌다.", "값이 떨어졌기 때문입니다."),
        ("값이 떨어졌습니다.", "값이 떨어졌기 때문입니다."),
        ("공장을 멈춘다고 공시한다.", "공장을 멈춘다고 공시하기 때문입니다."),
        ("첫 수출이다.", "첫 수출이기 때문입니다."),
        ("값이 오른다.", None),
    ],
)
def test_written_endings_turn_into_reasons(written, turned):
    assert because(written) == turned


def test_no_conversation_holds_all_eight_keys_and_most_keys_are_the_limit(drawn):
    for _, one in drawn:
        for message in one.messages:
            if message["role"] == "assistant" and "{" in message["content"]:
                assert (
                    sum(f"'{key}':" in message["content"] or f'"{key}":' in message["content"] for key in KEYS)
                    <= MOST_KEYS
                    < len(KEYS)
                )


def test_lists_and_objects_can_be_read_by_python(drawn):
    read = 0
    for _, one in drawn:
        for message in one.messages:
            text = message["content"]
            if message["role"] == "assistant" and text.startswith(("{'", "['")):
                ast.literal_eval(text)
                read += 1
    assert read > 100


def test_answers_that_copy_hold_no_word_that_the_article_has_not(shipped):
    rng = random.Random(2)
    for article in rng.sample(shipped, 100):
        reading = Reading(article)
        plain = clean(article.news)
        for task in (finding._nth, finding._headline, finding._find_sentence, finding._go_on, finding._blank):
            if turn := task(rng, reading):
                assert turn[1] in plain, (task.__name__, turn)
                assert not set(turn[1]) & set(QUOTES)


def test_sentence_that_is_asked_for_by_its_words_has_them(shipped):
    rng = random.Random(3)
    article = Written(ROW["news"], ROW["answer"], ROW["names"])
    for _ in range(50):
        question, answer = finding._go_on(rng, Reading(article))
        begun = answer.split()[0]
        assert begun in question


def test_effects_are_those_of_the_gold_answer(shipped):
    rng = random.Random(4)
    row = Written(ROW["news"], ROW["answer"], ROW["names"])
    asked = dict(exercises._effects(rng, Reading(row)) for _ in range(200))
    for question, answer in asked.items():
        if question.startswith("답은 파이썬 dictionary"):
            values = ast.literal_eval(answer)
            assert all(values[key] == ROW["answer"][key] for key in values)
    assert len(asked) > 10


def test_who_asks_for_more_keys_gets_points_that_say_what_the_gold_says(shipped):
    rng = random.Random(8)
    for article in rng.choices(shipped, k=100):
        question, answer = exercises._points(rng, Reading(article))
        asked = [key for key in KEYS if key in question]
        assert MOST_KEYS < len(asked) < len(KEYS) and "{" not in answer
        _, *points = answer.split("\n")
        assert len(points) == len(asked)
        for key, point in zip(asked, points, strict=True):
            value = article.answer[key]
            assert all(
                item in point
                for item in (value if isinstance(value, list) else [value] if value not in (True, False, None) else [])
            )


def test_some_objects_slip_and_still_parse_without_the_marks(shipped):
    rng = random.Random(5)
    slipped = 0
    for article in rng.choices(shipped, k=300):
        turn = exercises._object(rng, Reading(article), slips=1.0, lists=0.3)
        text, spans = take_marks(turn[1])
        slipped += bool(spans)
        if text.startswith("{'"):
            ast.literal_eval(text)
    assert slipped > 150


def test_drill_repeats_what_it_was_given():
    rng = random.Random(6)
    for _ in range(100):
        *_, told, answer = [
            message["content"]
            for message in draw_drill(
                rng, names.draw_company, ["첫 문장이다.", "다른 문장이 있다.", "셋째다.", "넷째 문장이다."]
            ).messages
        ]
        if answer.startswith("["):
            assert all(item in told for item in ast.literal_eval(answer))
        else:
            assert told.endswith(answer)
