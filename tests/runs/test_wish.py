"""What a reader may ask for, and which files are taken."""

from dataclasses import replace
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from newsft.errors import UserError
from newsft.paths import ASSETS
from newsft.recipe import RECIPES, from_flags, to_flags
from newsft.runs.preview import preview
from newsft.runs.wish import Limits, Wish, check_upload, make_recipe
from tests import tiny
from train import parse_flags

MINI, LIMITS = RECIPES["mini"], Limits()
WISH = Wish(rows=40, steps=20, rank=8, alpha=32, targets=("q_proj", "v_proj"), learning_rate=1e-3)


def wished(**settings) -> object:
    return make_recipe(MINI, replace(WISH, **settings), limits=LIMITS, output=Path("out"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0), ("steps", 201), ("steps", None), ("steps", 2.5), ("steps", float("nan")),
        ("rows", 0), ("rows", 10**9), ("rank", 65), ("rank", -1), ("alpha", 0),
        ("learning_rate", 0), ("learning_rate", -1), ("learning_rate", 2), ("learning_rate", float("nan")), ("learning_rate", None),
    ],
)  # fmt: skip
def test_setting_out_of_its_range_is_refused_with_the_range(name, value):
    with pytest.raises(UserError, match=f"{name} has to lie between") as caught:
        wished(**{name: value})
    assert caught.value.key == "run_limit" and caught.value.values["name"] == name


def test_no_target_is_refused_as_on_the_command_line():
    with pytest.raises(UserError, match="name at least one layer"):
        wished(targets=())


def test_flags_make_the_same_recipe(monkeypatch):
    recipe = wished(steps=7, rows=12, rank=4, alpha=9, targets=("o_proj", "up_proj"), learning_rate=0.002)
    monkeypatch.setattr("sys.argv", ["train.py", *to_flags(recipe)])
    assert from_flags(parse_flags()) == recipe
    assert (recipe.max_steps, recipe.train_rows, recipe.lora_r, recipe.keep_steps) == (7, 12, 4, ())


def test_uploads_of_another_kind_or_size_are_refused(tmp_path):
    for name, content, key in (
        ("rows.exe", b"x", "upload_kind"),
        ("rows.jsonl", b" " * (LIMITS.upload + 1), "upload_large"),
        ("rows.parquet", b"no parquet", "upload_damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError) as caught:
            check_upload(tmp_path / name, LIMITS)
        assert caught.value.key == key
    bomb = tmp_path / "bomb.parquet"  # 60 MB of one letter
    parquet.write_table(pyarrow.table({"system_prompt": ["a" * 10**6] * 60}), bomb, use_dictionary=False)
    assert bomb.stat().st_size < LIMITS.upload
    with pytest.raises(UserError) as caught:
        check_upload(bomb, LIMITS)
    assert caught.value.key == "upload_large"


def test_parquet_that_says_less_than_it_unpacks_to_is_refused(tmp_path):
    path = tmp_path / "same.parquet"  # 80 MB of one text, which the file's own header counts once
    parquet.write_table(pyarrow.table({"user_prompt": ["a" * 10**5] * 800}), path)
    assert path.stat().st_size < 10**5 and parquet.read_metadata(path).row_group(0).total_byte_size < 10**6
    with pytest.raises(UserError) as caught:
        check_upload(path, LIMITS)
    assert caught.value.key == "upload_large"
    parquet.write_table(pyarrow.table({"user_prompt": ["a"] * (LIMITS.rows + 1)}), path)
    with pytest.raises(UserError) as caught:
        check_upload(path, LIMITS)
    assert caught.value.key == "upload_rows"


class Holder:
    def __init__(self, chat):
        self.chat = chat


def test_preview_has_columns_halves_and_the_report(chat, tmp_path):
    rows = [row | {"note": "x"} for row in tiny.make_rows(10)]
    wish = replace(WISH, rows=4, upload=tiny.write_rows(tmp_path / "mine.jsonl", rows))
    found = preview(Holder(chat), make_recipe(MINI, wish, limits=LIMITS, output=tmp_path), wish, LIMITS)
    assert (found.tests, found.trained, found.passed) == (5, 4, True)
    assert list(found.columns) == ["system_prompt", "user_prompt", "assistant"]
    assert "5호 공장" in found.columns["user_prompt"]
    assert any("note are left out" in note for note in found.notes)
    assert "rows 4, steps 20" in found.report


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"a": 1}\n', "has no column system_prompt"),
        ("not json", "not valid JSON"),
        ("", "holds no rows"),
        ('{"system_prompt": "", "user_prompt": "x", "assistant": "y"}\n', "empty half"),
    ],
)
def test_bad_upload_is_refused_by_its_own_name(chat, tmp_path, content, said):
    path = tmp_path / "secret-place" / "mine.jsonl"
    path.parent.mkdir()
    path.write_text(content)
    wish = replace(WISH, rows=1, upload=path)
    with pytest.raises(UserError, match=said) as caught:
        preview(Holder(chat), make_recipe(MINI, wish, limits=LIMITS, output=tmp_path), wish, LIMITS)
    assert "secret-place" not in str(caught.value)


def test_more_rows_than_there_are_is_refused_with_their_number(chat):
    wish = replace(WISH, rows=600)
    with pytest.raises(UserError, match="the training half has 496"):
        preview(Holder(chat), make_recipe(MINI, wish, limits=LIMITS, output=ASSETS), wish, LIMITS)
