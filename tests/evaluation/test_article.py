"""Rows that are longer than the model takes: one rule for training, evaluation, check and page."""

from dataclasses import replace
from pathlib import Path

import pytest

from newsft.data.rows import Split, load_rows
from newsft.data.text import NEWS_LIMIT
from newsft.encoding.row import ELLIPSIS
from newsft.errors import UserError
from newsft.evaluation.article import encode_article, find_long
from newsft.evaluation.run import evaluate, load_data
from newsft.inference.engine import LocalEngine, load_engine
from newsft.page import diagnosis
from newsft.page.page import build_page
from newsft.recipe import RECIPES
from tests import programs, tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def brief(engine):
    return LocalEngine(engine.loaded, max_new_tokens=8)


@pytest.fixture(scope="module")
def long_rows(rows):
    """One article of an ordinary length, one of more characters than can be pasted, one of more tokens than the model takes."""
    news = rows[0]["user_prompt"]
    return [
        rows[1],
        rows[0] | {"user_prompt": (news * 100)[: NEWS_LIMIT + 1]},
        rows[0] | {"user_prompt": (news * 100)[:15_000]},
    ]


def test_article_that_fits_is_asked_as_it_is_when_pasted(engine, rows):
    for number, row in enumerate(rows[:20]):
        prompt = encode_article(engine.chat, row, room=engine.positions, number=number)
        assert prompt.ids == engine.encode(row["user_prompt"], system_prompt=row["system_prompt"]).ids


@pytest.mark.parametrize("room", [400, 401, 700, 1500, 3000])
def test_article_that_is_too_long_loses_its_middle_and_no_more_than_needed(engine, long_rows, room):
    for number, row in enumerate(long_rows[1:]):
        prompt = encode_article(engine.chat, row, room=room, number=number)
        news = prompt.messages[-1]["content"]
        head, _, tail = news.partition(ELLIPSIS)
        assert (
            room - 8 <= len(prompt.ids) <= room
            and row["user_prompt"].startswith(head)
            and row["user_prompt"].endswith(tail)
            and head
            and tail
        )
        assert prompt.messages[0]["content"] == row["system_prompt"]


def test_system_prompt_that_leaves_no_room_names_the_row(engine, long_rows):
    with pytest.raises(UserError, match=r"row 7 has no room .* 40 tokens.*--max-new-tokens"):
        encode_article(engine.chat, long_rows[0], room=40, number=7)


def test_rows_of_any_length_are_evaluated(brief, long_rows, tmp_path):
    assert find_long(brief.chat, long_rows, room=brief.room) == [1, 2]
    assert evaluate(brief, long_rows, tmp_path / "evaluation")["tuned"]["rows"] == 3


def test_page_starts_and_check_passes_with_rows_of_any_length(brief, long_rows, tmp_path, capsys):
    split = Split(long_rows[::-1], long_rows, "")
    assert build_page(
        brief,
        system_prompt="",
        names=("a", "b"),
        split=split,
        recipe=replace(RECIPES["mini"], evaluation=str(tmp_path)),
    )
    assert diagnosis.print_diagnosis(brief, split)


def test_training_names_the_rows_of_both_halves_before_its_first_step_and_the_evaluation_takes_them(tmp_path):
    rows = [row | {"system_prompt": ""} for row in tiny.make_rows(12)]
    rows[2]["user_prompt"] = ("주가가 올랐다. " * 9_000)[: NEWS_LIMIT + 1]
    rows[9]["user_prompt"] = rows[2]["user_prompt"] + "끝"
    model, data, output = (
        tiny.write_model(tmp_path / "model"),
        tiny.write_rows(tmp_path / "rows.jsonl", rows),
        tmp_path / "adapter",
    )
    done = programs.run("train.py", *tiny.flags(model, data, output, steps=2), "--max-new-tokens", 64)
    assert done.returncode == 0, done.stderr
    before = done.stdout.split("step 0")[0]
    assert "1 row(s) were too long and lost the middle of their news: 9" in before
    assert "1 row(s) of the test half are longer than the model takes" in before and "(rows 2)" in before
    chosen = replace(RECIPES["mini"], model=str(model), data=str(data), adapter=str(output), max_new_tokens=8)
    split = load_data(chosen)
    engine = load_engine(chosen, examples=split.examples)
    assert (
        split.test == load_rows(str(data))[:6]
        and evaluate(engine, split.test, tmp_path / "evaluation")["tuned"]["rows"] == 6
    )
