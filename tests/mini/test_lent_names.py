"""Names that writers gave, in other articles: they are theirs, hard to copy, and what the gold answer says stays true."""

import random
from collections import Counter
from functools import partial

import pytest

from newsft.mini import lent_names
from newsft.mini.gold import check_row
from newsft.mini.lent_names import LentNames
from newsft.mini.written import Written, read_written, vary

NEWS = "동네 가게가 동네마다 문을 닫았다. 상인들은 동네를 떠났다."


@pytest.fixture(scope="module")
def base():
    return [article for article in read_written() if article.part == "base"]


@pytest.fixture(scope="module")
def lent(base):
    return LentNames(base)


def test_most_companies_bear_a_name_that_a_writer_gave(base, lent):
    rng, given = random.Random(3), {name for article in base for name in article.names.get("company", [])}
    drawn = [lent.company(rng) for _ in range(1000)]
    assert 0.55 < sum(name in given for name in drawn) / len(drawn) < 0.65
    assert len(set(drawn)) > 900


def test_a_name_often_begins_as_the_article_goes_on_and_never_stands_in_it_already():
    articles = [
        Written("", {}, {"company": [name, "동네", "뷁뚫제약", "쵸켸화학"], "product": ["동네"]})
        for name in ("동네물산", "동네식품")
    ]
    lent, rng = LentNames(articles), random.Random(5)
    drawn = Counter(lent.company(rng, news=NEWS) for _ in range(2000))
    assert drawn["동네"] == 0 and {lent.other(rng, "product", news=NEWS) for _ in range(50)} == {""}
    assert drawn["동네물산"] + drawn["동네식품"] > 2 * (drawn["뷁뚫제약"] + drawn["쵸켸화학"]) > 0


def test_without_articles_names_are_invented():
    empty, rng = LentNames([]), random.Random(1)
    assert empty.company(rng) and empty.other(rng, "person") == ""


def test_articles_with_lent_names_keep_the_rules_of_the_gold_answers(base, lent):
    rng = random.Random(7)
    varied = [
        vary(
            rng,
            article,
            invent=partial(lent.company, news=article.news),
            lend=partial(lent.other, news=article.news),
            figures=False,
        )
        for article in rng.sample(base, 300)
    ]
    findings = [
        [
            finding
            for finding in check_row({"news": one.news, "names": one.names, "answer": one.answer})
            if "characters" not in finding and "NFC" not in finding
        ]
        for one in varied
    ]
    assert sum(map(bool, findings)) <= 12, [found for found in findings if found]
    assert all(len(set(one.stocks)) == len(one.stocks) for one in varied)


def test_share_of_lent_names_can_be_nothing(base, monkeypatch):
    monkeypatch.setattr(lent_names, "LENT", 0.0)
    given = {name for article in base for name in article.names.get("company", [])}
    rng, none = random.Random(2), LentNames(base)
    assert not {none.company(rng) for _ in range(200)} & given
