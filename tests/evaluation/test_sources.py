from pathlib import Path

import pytest

from newsft.data.rows import load_rows
from newsft.evaluation.answer import read_answer, read_gold
from newsft.evaluation.sources import Source, find_source, find_sources, split_sentences

CHOOSING = Path(__file__).parents[1] / "data" / "choosing.json"
ARTICLE = """가람전선, 부산 공장 증설…"물량 밀려 있다"
가람전선이 3일 부산 공장을 증설한다고 밝혔다. 증설에는 410억원이 든다. 매출은 1년 전보다 12% 늘어 사상 가장 많았다.
경쟁사인 나래전선은 같은 날 수주가 1.4배다. 나래전선의 울산 공장은 화재로 멈췄다."""


@pytest.mark.parametrize(
    ("text", "sentence", "lacks"),
    [
        ("증설에는 410억원이 들기 때문입니다.", "증설에는 410억원이 든다.", ()),
        ("매출은 1년 전보다 12% 늘었기 때문입니다.", "매출은 1년 전보다 12% 늘어 사상 가장 많았다.", ()),
        ("나래전선은 수주가 1.4배이기 때문입니다.", "경쟁사인 나래전선은 같은 날 수주가 1.4배다.", ()),
        # The beginning of one sentence and the end of another: every word stands in the article.
        (
            "가람전선이 3일 부산 공장을 화재로 멈췄습니다.",
            "가람전선이 3일 부산 공장을 증설한다고 밝혔다.",
            ("화재로", "멈췄습니다"),
        ),
        (
            "매출은 1년 전보다 410억원이 늘었기 때문입니다.",
            "매출은 1년 전보다 12% 늘어 사상 가장 많았다.",
            ("억원이", "410"),
        ),
        ("정부가 내년 예산안을 국회에 냈습니다.", None, ()),
        ("", None, ()),
        ("!?", None, ()),
    ],
)
def test_sentence_behind_a_text_and_what_it_lacks(text, sentence, lacks):
    assert find_source(text, ARTICLE) == (sentence and Source(sentence, lacks))


def test_of_headline_and_sentence_the_nearer_is_taken():
    news = "가람전선 부산 공장 증설한다\n가람전선이 부산 공장을 증설한다."
    assert find_source("가람전선이 부산 공장을 증설합니다.", news).sentence == split_sentences(news)[1]


def test_empty_texts_and_missing_keys_have_no_source():
    answer = read_answer(
        str({"is_stock_related": True, "summary": "증설에는 410억원이 듭니다.", "reason_for_positive_impact": ""})
    )
    assert list(find_sources(answer, ARTICLE)) == ["summary"]


def test_golds_of_handwritten_articles_come_from_one_sentence_each():
    rows = load_rows(str(CHOOSING), measuring=True)
    found = [source for row in rows for source in find_sources(read_gold(row), row["user_prompt"]).values()]
    assert len(found) > 300 and all(found)
    assert sum(bool(source.lacks) for source in found) <= 3
