import json

import pytest

from newsft.mini import gold
from newsft.mini.corpus import split_articles
from newsft.mini.written import FOLDER, read_written


@pytest.fixture(scope="module")
def sources():
    return [row for _, row in gold.read_rows(sorted(FOLDER.glob("*.jsonl")))]


def test_every_written_row_keeps_the_rules_and_none_is_near_another(sources):
    assert [str(finding) for finding in gold.check_rows(sources)] == []
    assert len(sources) == len({row["news"] for row in sources})


def test_parts_share_no_company_and_no_article():
    articles = read_written()
    parts = split_articles(articles)
    companies = {
        part: {name for article in found for name in article.names.get("company", [])} for part, found in parts.items()
    }
    assert not companies["test"] & companies["train"] and not companies["base"] & (
        companies["test"] | companies["train"]
    )
    assert len(parts["base"]) > 1000 and len({article.news for found in parts.values() for article in found}) == sum(
        map(len, parts.values())
    )


def test_shipped_rows_are_the_written_ones(rows):
    parts = split_articles(read_written())
    written = [article for part in ("test", "train") for article in parts[part]]
    assert [row["user_prompt"] for row in rows] == [article.news for article in written]
    assert [json.dumps(row["assistant"]) for row in rows] == [json.dumps(article.answer) for article in written]
    assert (len(parts["test"]), len(parts["train"])) == (495, 496)
