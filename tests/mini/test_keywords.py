import ast
import random

import pytest

from newsft.mini.keywords import FEWEST, MOST, Keywords, ask_once, ask_words, choose_words
from newsft.mini.written import Written, read_written

ARTICLE = Written(
    "가나전자 소식",
    {
        "negative_keywords": ["가나전자 파업", "적자 3억원", "손해배상 소송", "손해배상"],
        "positive_keywords": None,
    },
    {"company": ["가나전자"]},
)


@pytest.fixture(scope="module")
def keywords():
    return Keywords([ARTICLE])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("손해배상 소송에서 손해배상 소송", ["손해배상 소송"]),  # the longest, once
        ("손해배상은 끝났다", ["손해배상"]),
        ("무손해배상", []),  # not within a word
        ("물량을 줄이고 단가를 내렸다", ["물량", "단가"]),  # objects by their particle
        ("겨를 없이 그를 보았다", []),  # 를 of a word, and of one syllable
        ("영업이익 702억원을 냈다", ["영업이익 702억원"]),
        ("가나전자 파업이 길다", []),  # key words with a company's name move with it
        ("", []),
    ],
)
def test_words_of_a_text_are_found_in_turn(keywords, text, found):
    assert keywords.find(text) == found


def test_words_found_in_articles_stand_there_once_and_in_order():
    articles = read_written()[:200]
    shipped = Keywords(articles)
    for article in articles:
        found = shipped.find(article.news)
        assert len(found) == len(set(found))
        places, at = [], 0
        for word in found:
            at = article.news.find(word, at)
            places.append(at)
        assert -1 not in places


def test_so_many_words_are_listed_as_are_asked_for():
    rng, words = random.Random(1), [f"낱말{number}" for number in range(12)]
    counts = set()
    for _ in range(200):
        question, answer = ask_words(rng, words)
        if "파이썬 리스트" not in question:
            continue
        listed = ast.literal_eval(answer)
        assert listed == [word for word in words if word in listed]
        assert f"{len(listed)}개" in question or (len(listed) in (3, 4) and "개" not in question)
        counts.add(len(listed))
    assert counts <= set(range(FEWEST, MOST + 1)) and len(counts) > 3
    assert ask_words(rng, words[:1]) is None


def test_what_comes_again_is_left_out():
    rng = random.Random(2)
    for count in range(1, 9):
        items = [f"낱말{number}" for number in range(count)]
        _, given, once = ask_once(rng, items)
        assert len(given) > count and set(given) == set(items) and once == list(dict.fromkeys(given))


def test_words_that_come_again_are_listed_more_often_and_in_their_order():
    rng, words = random.Random(2), ["배당", "소각", "매입", "규제"]
    drawn = [choose_words(rng, words, 2, "배당 소각 매입 규제 소각") for _ in range(400)]
    assert all(found == sorted(found, key=words.index) and len(found) == 2 for found in drawn)
    counts = {word: sum(word in found for found in drawn) for word in words}
    assert counts["소각"] > 1.5 * max(counts[word] for word in words if word != "소각") and min(counts.values()) > 50
    assert choose_words(rng, words, 9) == words
