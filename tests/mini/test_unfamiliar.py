import random
import re

import pytest

from newsft.mini import articles, tasks
from newsft.mini.corpus import answer_of
from newsft.mini.unfamiliar import MOST, WORD, make_unfamiliar


@pytest.fixture(scope="module")
def pairs():
    """Articles and what `make_unfamiliar` makes of them."""
    rng = random.Random(7)
    drawn = [articles.draw(rng, part="pretrain", length=400, wild=0.4) for _ in range(200)]
    return [(article, make_unfamiliar(rng, article)) for article in drawn]


def test_truth_of_the_article_stays_and_its_names_and_keywords_stand_in_the_text(pairs):
    for article, changed in pairs:
        assert answer_of(changed) == answer_of(article)
        for name in article.companies:
            assert changed.text.count(name) == article.text.count(name)
        assert all(word in changed.text for words in article.keywords.values() for word in words)
        if article.headline in article.text:
            assert article.headline in changed.text


def test_words_keep_their_place_their_length_and_their_ending(pairs):
    for article, changed in pairs:
        assert WORD.sub("", changed.text) == WORD.sub("", article.text)
        before, after = WORD.findall(article.text), WORD.findall(changed.text)
        assert [(len(word), word[-1]) for word in before] == [(len(word), word[-1]) for word in after]


def test_share_of_new_words_differs_from_article_to_article(pairs):
    shares = []
    for article, changed in pairs:
        before, after = WORD.findall(article.text), WORD.findall(changed.text)
        shares.append(sum(one != other for one, other in zip(before, after, strict=True)) / len(before))
    assert min(shares) < 0.05 and 0.2 < max(shares) <= MOST + 0.1
    assert 0.05 < sum(shares) / len(shares) < MOST / 2


def test_only_the_asked_share_of_conversations_is_unfamiliar(monkeypatch):
    made = []
    monkeypatch.setattr(tasks, "make_unfamiliar", lambda rng, article: made.append(article) or article)
    rng = random.Random(8)
    for _ in range(40):
        tasks.draw_conversation(rng, drills=0)
    assert not made
    for _ in range(200):
        tasks.draw_conversation(rng, drills=0, unfamiliar=0.4)
    assert 50 < len(made) < 110


def test_a_name_of_two_parts_with_a_particle_stays_whole():
    article = articles.Article(kind="order", text="페르도 게임즈가 새로운 놀이터에서 페르도 게임즈의 장난감을 팔았다", headline="", companies=["페르도 게임즈"])
    changed = {make_unfamiliar(random.Random(seed), article).text for seed in range(30)}
    assert len(changed) > 10
    assert all(re.fullmatch(r"페르도 게임즈가 \S{2}운 \S{4}서 페르도 게임즈의 \S{3}을 \S{2}다", text) for text in changed)
