"""The embedded data set: 991 invented rows in the real set's columns.

python -m newsft.mini.corpus        writes assets/news.jsonl (same seed, same bytes)
"""

import argparse
import json
import random
from pathlib import Path

from newsft.mini import articles
from newsft.mini.articles import Article

ROWS, TEST_ROWS = 991, 495
SEED = 20260
ASSET = Path(__file__).parents[2] / "assets" / "news.jsonl"
KEYS = (
    "is_stock_related",
    "negative_impact_stocks",
    "negative_keywords",
    "positive_impact_stocks",
    "positive_keywords",
    "reason_for_negative_impact",
    "reason_for_positive_impact",
    "summary",
)
SYSTEM_PROMPT = """당신은 금융 뉴스가 어느 종목에 어떤 영향을 주는지 가려내는 분석기입니다. 답은 파이썬 dictionary 하나로만 쓰고, 문자열 안에는 따옴표를 넣지 않습니다.
뉴스가 어떤 종목과도 관련이 없으면 is_stock_related는 False이고 summary에 요약을 쓰며 나머지는 None입니다.
뉴스가 종목과 관련이 있으면 is_stock_related는 True이고 negative_impact_stocks, negative_keywords, positive_impact_stocks, positive_keywords, reason_for_negative_impact, reason_for_positive_impact, summary를 차례로 씁니다. 해당하는 것이 없으면 빈 리스트나 빈 문자열을 씁니다."""


def answer_of(article: Article) -> dict:
    """The gold answer: the eight keys in the data set's order, `None` for what does not apply to news about no stock."""
    if not article.is_stock_related:
        return dict.fromkeys(KEYS) | {"is_stock_related": False, "summary": article.summary}
    values = (
        True,
        article.negative,
        article.keywords["-"] if article.negative else [],
        article.positive,
        article.keywords["+"] if article.positive else [],
        article.reasons["-"],
        article.reasons["+"],
        article.summary,
    )
    return dict(zip(KEYS, values, strict=True))


def draw_length(rng: random.Random, *, long: float) -> int:
    """An article's length in characters: mostly 150 to 450, a share of `long` up to 1,500."""
    if rng.random() < long:
        return rng.randint(600, 1400)
    return rng.randint(120, 400)


def build_rows(seed: int = SEED) -> list[dict]:
    """The 991 rows, test half first; company names of the halves share no stem."""
    rng = random.Random(seed)
    rows, seen = [], set()
    while len(rows) < ROWS:
        part = "test" if len(rows) < TEST_ROWS else "train"
        article = articles.draw(rng, part=part, length=draw_length(rng, long=0.08))
        if article.text in seen or not 150 <= len(article.text) <= 1500:
            continue
        seen.add(article.text)
        rows.append({"system_prompt": SYSTEM_PROMPT, "user_prompt": article.text, "assistant": answer_of(article)})
    return rows


def main() -> None:
    """Write the rows, one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ASSET)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    rows = build_rows(arguments.seed)
    arguments.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} rows -> {arguments.output} ({arguments.output.stat().st_size / 1e6:.1f} MB)")


if __name__ == "__main__":
    main()
