import random

import pytest

from newsft.mini import names
from newsft.mini.gold import check_row
from newsft.mini.written import Written, join_articles, read_written, vary
from tests.mini.test_gold import ROW


@pytest.fixture(scope="module")
def article():
    return Written(ROW["news"], ROW["answer"], ROW["names"])


@pytest.fixture(scope="module")
def shipped():
    return read_written()


def as_row(article):
    return {"news": article.news, "names": article.names, "answer": article.answer}


def test_varied_articles_still_keep_the_rules_of_the_gold_answers(shipped):
    rng = random.Random(1)
    varied = [vary(rng, article, invent=names.draw_company) for article in rng.sample(shipped, 200)]
    findings = [
        [finding for finding in check_row(as_row(one)) if "characters" not in finding and "NFC" not in finding]
        for one in varied
    ]
    assert sum(map(bool, findings)) <= 8, [
        found for found in findings if found
    ]  # a name beside a bracket, a figure that reads like another


def test_no_company_keeps_its_name(article):
    rng = random.Random(2)
    for _ in range(50):
        varied = vary(rng, article, invent=names.draw_company)
        assert "도라제강" not in varied.news + str(varied.answer) and "유하람" not in varied.news
        (stock,) = varied.answer["negative_impact_stocks"]
        assert stock.endswith("제강") and varied.news.count(stock) >= 3 and varied.stocks == {stock: "-"}


def test_particles_follow_the_new_name(article):
    rng = random.Random(3)
    varied = vary(rng, article, invent=lambda rng: "나래소")
    assert "나래소제강이 3일" not in varied.news.replace("제강", "") and "나래소제강" in varied.news
    plain = Written(
        "한솔람은 웃고 한솔람이 뛰었다. 한솔람과 한솔람으로 간 ‘한솔람’을 봤다.",
        dict.fromkeys(ROW["answer"]),
        {"company": ["한솔람"]},
    )
    assert (
        vary(rng, plain, invent=lambda rng: "도레미", figures=False).news
        == "도레미는 웃고 도레미가 뛰었다. 도레미와 도레미로 간 ‘도레미’를 봤다."
    )
    assert (
        vary(rng, plain, invent=lambda rng: "가을", figures=False).news
        == "가을은 웃고 가을이 뛰었다. 가을과 가을로 간 ‘가을’을 봤다."
    )


def test_short_form_goes_with_the_full_name():
    rng = random.Random(4)
    article = Written(
        "한서해운(이하 한서)이 올랐다. 한서는 배를 샀다.",
        dict.fromkeys(ROW["answer"]),
        {"company": ["한서해운"], "short": ["한서"]},
    )
    assert (
        vary(rng, article, invent=lambda rng: "도레미", figures=False).news
        == "도레미해운(이하 도레미)이 올랐다. 도레미는 배를 샀다."
    )


def test_figures_change_alike_in_news_and_answer_and_stay_possible(article):
    rng = random.Random(5)
    seen = set()
    for _ in range(30):
        varied = vary(rng, article, invent=names.draw_company)
        seen.add(varied.answer["negative_keywords"][2])
        assert all(keyword in varied.news for keyword in varied.answer["negative_keywords"])
    assert len(seen) > 20 and all(keyword.startswith("영업손실 ") and keyword.endswith("억원") for keyword in seen)
    dated = Written("31일 12월 23시 59분 99일", dict.fromkeys(ROW["answer"]), {})
    for _ in range(30):
        _, month, _, minute, _ = vary(rng, dated, invent=names.draw_company).news.split()
        assert int(month[:-1]) <= 12 and int(minute[:-1]) <= 59


def test_same_seed_varies_alike(article):
    assert vary(random.Random(6), article, invent=names.draw_company) == vary(
        random.Random(6), article, invent=names.draw_company
    )


def test_two_articles_are_read_as_one_page():
    first, second = articles_of_both_kinds()
    page = join_articles(first, second)
    assert page.news == f"{first.news}\n\n{second.news}"
    assert page.stocks == first.stocks | second.stocks and set(page.stocks.values()) == {"+", "-"}
    assert page.answer["positive_keywords"] == first.answer["positive_keywords"]
    assert page.answer["negative_keywords"] == second.answer["negative_keywords"]
    assert page.answer["summary"] == f"{first.answer['summary']} {second.answer['summary']}"
    assert page.names["company"] == [*first.names["company"], *second.names["company"]]


def test_a_page_with_one_article_about_a_stock_is_about_that_stock():
    first, _ = articles_of_both_kinds()
    plain = next(article for article in read_written() if not article.answer["is_stock_related"])
    for page in (join_articles(first, plain), join_articles(plain, first)):
        assert page.answer["is_stock_related"] is True
        assert page.stocks == first.stocks
    assert join_articles(plain, plain).answer["positive_impact_stocks"] is None


def articles_of_both_kinds() -> tuple[Written, Written]:
    """One article with good news alone and one with bad news alone."""
    found = read_written()
    good = next(article for article in found if set(article.stocks.values()) == {"+"})
    return good, next(
        article
        for article in found
        if set(article.stocks.values()) == {"-"} and not set(article.stocks) & set(good.stocks)
    )
