import random
from dataclasses import replace

import pytest

from newsft.evaluation.sources import split_sentences
from newsft.mini.copying import copied_from
from newsft.mini.leaving_out import cut_stretches, leave_out
from newsft.mini.written import Written, read_written

NEWS = (
    "새벽제강, 전기로 멈춘다\n새벽제강이 3일 전기로를 세웠다. 날씨는 맑았다. “재고가 많다. 더는 못 버틴다”고 소장이 말했다. "
    "철근값이 넉 달째 내렸다. 노을증권은 말을 아꼈다. 고철상들은 다른 곳을 찾는다."
)
ANSWER = {
    "is_stock_related": True,
    "negative_impact_stocks": ["새벽제강"],
    "negative_keywords": ["전기로", "철근값"],
    "positive_impact_stocks": [],
    "positive_keywords": [],
    "reason_for_negative_impact": "철근값이 넉 달째 내렸기 때문입니다.",
    "reason_for_positive_impact": "",
    "summary": "새벽제강이 3일 전기로를 세웠습니다.",
}
ARTICLE = Written(NEWS, ANSWER, {"company": ["새벽제강", "노을증권"]})


def test_what_the_answer_says_stays_and_everything_else_may_go():
    rng, gone = random.Random(1), set()
    for _ in range(40):
        left = leave_out(rng, ARTICLE, most=1.0)
        assert left.answer == ANSWER
        for sentence in ("새벽제강, 전기로 멈춘다\n", "새벽제강이 3일 전기로를 세웠다.", "철근값이 넉 달째 내렸다."):
            assert sentence in left.news
        gone |= {part for part in split_sentences(NEWS) if part not in left.news}
        assert ("노을증권" in left.news) == ("노을증권" in left.names["company"])
        assert left.news.count("“") == left.news.count("”")
    assert gone == {
        "날씨는 맑았다.",
        "“재고가 많다.",
        "더는 못 버틴다”고 소장이 말했다.",
        "노을증권은 말을 아꼈다.",
        "고철상들은 다른 곳을 찾는다.",
    }
    assert leave_out(rng, ARTICLE, most=0.0) == ARTICLE


@pytest.mark.parametrize("part", ["base", "train"])
def test_written_articles_still_say_what_their_answers_say(part):
    rng, before, after = random.Random(2), 0, 0
    for article in [one for one in read_written() if one.part == part][:200]:
        assert "".join(cut_stretches(article.news)) == article.news
        left = leave_out(rng, article)
        sentences = split_sentences(left.news)
        for value in [left.answer[key] for key in left.answer if key.startswith("reason") or key == "summary"]:
            assert not value or copied_from(value, sentences) is None
        for key in ("negative_keywords", "positive_keywords", "negative_impact_stocks", "positive_impact_stocks"):
            found = left.answer[key] or []
            assert all(item in left.news for item in found) and sorted(found) == sorted(article.answer[key] or [])
            assert found == sorted(found, key=left.news.find)
        before, after = before + len(article.news), after + len(left.news)
    assert 0.7 < after / before < 0.95


def test_article_without_a_stock_keeps_its_summary():
    answer = {key: None for key in ANSWER} | {"is_stock_related": False, "summary": "고철상들은 다른 곳을 찾습니다."}
    left = leave_out(random.Random(3), replace(ARTICLE, answer=answer), most=2.0)
    assert "고철상들은 다른 곳을 찾는다." in left.news and len(left.news) < len(NEWS)
