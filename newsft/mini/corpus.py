"""The embedded data set: 991 of the written articles in the real set's columns; the others are the base model's, or left over.

python -m newsft.mini.corpus        writes assets/news.jsonl (same articles, same bytes)
"""

import argparse
import json
import zlib
from pathlib import Path

from newsft.mini.written import Written, read_written
from newsft.paths import ASSETS

TEST_ROWS, TRAIN_ROWS = 495, 496
ASSET = ASSETS / "news.jsonl"
SYSTEM_PROMPT = """당신은 금융 뉴스가 어느 종목에 어떤 영향을 주는지 가려내는 분석기입니다. 답은 파이썬 dictionary 하나로만 쓰고, 문자열 안에는 따옴표를 넣지 않습니다.
뉴스가 어떤 종목과도 관련이 없으면 is_stock_related는 False이고 summary에 기사의 중심 문장을 쓰며 나머지는 None입니다.
뉴스가 종목과 관련이 있으면 is_stock_related는 True이고 negative_impact_stocks, negative_keywords, positive_impact_stocks, positive_keywords, reason_for_negative_impact, reason_for_positive_impact, summary를 차례로 씁니다. 종목과 핵심어는 기사에 나온 그대로, 이유와 요약은 기사의 문장에서 가져옵니다. 해당하는 것이 없으면 빈 리스트나 빈 문자열을 씁니다."""


def split_articles(articles: list[Written]) -> dict[str, list[Written]]:
    """'test', 'train' and 'base', as the articles' files say. Test and training rows come in the order of a checksum, which mixes the writers; a few more than are needed are left over."""
    parts = {part: [article for article in articles if article.part == part] for part in ("test", "train", "base")}
    for part, rows in (("test", TEST_ROWS), ("train", TRAIN_ROWS)):
        parts[part] = sorted(parts[part], key=lambda article: zlib.crc32(article.news.encode()))[:rows]
    return parts


def main() -> None:
    """Write the rows, one JSON object a line, the test half first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--articles", type=Path, help="folder of the written articles")
    parser.add_argument("--output", type=Path, default=ASSET)
    arguments = parser.parse_args()
    parts = split_articles(read_written(arguments.articles))
    rows = [
        {"system_prompt": SYSTEM_PROMPT, "user_prompt": article.news, "assistant": article.answer}
        for part in ("test", "train")
        for article in parts[part]
    ]
    arguments.output.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(
        ", ".join(f"{len(found)} {part}" for part, found in parts.items()),
        f"-> {arguments.output} ({arguments.output.stat().st_size / 1e6:.1f} MB)",
    )


if __name__ == "__main__":
    main()
