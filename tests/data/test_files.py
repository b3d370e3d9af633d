"""Folders and data sets of the hub: what is read of them, and that what is not read is told."""

import json
import shutil
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict, load_dataset
from huggingface_hub import constants

from newsft.data.rows import load_rows
from newsft.errors import UserError
from tests import tiny

ROWS = tiny.make_rows(6)
CARD = "---\nlicense: mit\n---\n# News\n"


def write(folder: Path, files: dict[str, list[dict] | str]) -> Path:
    """Files by their names: rows as Parquet, CSV or JSONL, or text as it stands."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif path.suffix == ".jsonl":
            tiny.write_rows(path, content)
        else:
            {".parquet": Dataset.to_parquet, ".csv": Dataset.to_csv}[path.suffix](Dataset.from_list(content), path)
    return folder


CLONE = {
    "README.md": CARD,
    "dataset_info.json": '{"features": {}}',
    "data/train-00000-of-00002.parquet": ROWS[:4],
    "data/train-00001-of-00002.parquet": ROWS[4:],
    "data/test-00000-of-00001.parquet": ROWS[:1],
}


def load(folder: Path) -> tuple[list[dict], list[str]]:
    told = []
    return load_rows(str(folder), tell=told.append), told


def test_clone_of_a_data_set_loads_its_training_split_and_names_the_rest(tmp_path):
    rows, told = load(write(tmp_path, CLONE))
    assert rows == ROWS
    assert len(told) == 1 and told[0].endswith("left out: data/test-00000-of-00001.parquet")


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_description_beside_the_files_is_not_taken_for_rows(tmp_path, ending):
    assert load(write(tmp_path, {f"part.{ending}": ROWS, "dataset_info.json": "{}", "dataset_infos.json": "{}"})) == (
        ROWS,
        [],
    )


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_codes_in_a_clone_stay_text(tmp_path, ending):
    rows = [row | {"assistant": "005930"} for row in ROWS]
    assert load(write(tmp_path, {f"data/train.{ending}": rows}))[0] == rows


def test_card_says_which_files_are_the_training_split(tmp_path):
    card = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: some/*.jsonl\n---\n"
    rows, told = load(write(tmp_path, {"README.md": card, "some/one.jsonl": ROWS, "other/two.jsonl": ROWS}))
    assert rows == ROWS and "other/two.jsonl" in told[0]


def test_files_of_another_kind_in_a_folder_are_named(tmp_path):
    rows, told = load(write(tmp_path, {"a.jsonl": ROWS, "b.csv": ROWS}))
    assert rows == ROWS and told[0].endswith("left out: b.csv")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"test.jsonl": ROWS}, "has no split train; it has test. Give one of its files"),
        (
            {
                "README.md": "---\nconfigs:\n- config_name: x\n  data_files: a.jsonl\n- config_name: y\n  data_files: b.jsonl\n---\n",
                "a.jsonl": ROWS,
                "b.jsonl": ROWS,
            },
            "available configs: ['x', 'y']",
        ),
        ({"news.txt": "뉴스"}, "holds no JSONL, CSV or Parquet file"),
        ({"data/train.parquet": "PAR1"}, "could not be read as parquet"),
    ],
)
def test_folder_that_is_no_single_data_set_is_a_user_error(tmp_path, files, words):
    with pytest.raises(UserError) as caught:
        load(write(tmp_path / "here", files))
    assert words in str(caught.value) and "here" in str(caught.value) and "\n" not in str(caught.value)


def test_folder_that_save_to_disk_wrote_loads(tmp_path):
    Dataset.from_list(ROWS).save_to_disk(tmp_path / "one")
    assert load(tmp_path / "one") == (ROWS, [])
    DatasetDict(train=Dataset.from_list(ROWS), test=Dataset.from_list(ROWS[:1])).save_to_disk(tmp_path / "two")
    rows, told = load(tmp_path / "two")
    assert rows == ROWS and told[0].endswith("left out: test")
    DatasetDict(test=Dataset.from_list(ROWS)).save_to_disk(tmp_path / "three")
    with pytest.raises(UserError, match="has no split train; it has test"):
        load(tmp_path / "three")
    next((tmp_path / "one").glob("*.arrow")).unlink()
    with pytest.raises(UserError, match=r"could not be read .*save_to_disk"):
        load(tmp_path / "one")


def test_objects_of_different_keys_come_back_from_every_form_of_datasets_as_from_jsonl(tmp_path):
    answers = [
        {"summary": "가"},
        {"x": None, "summary": "나"},
        "005930",
        "{'summary': '다'}",
        {"summary": ["라"], "x": {"y": 1}},
    ]
    rows = [row | {"assistant": answer} for row, answer in zip(ROWS, answers, strict=False)]
    path = tiny.write_rows(tmp_path / "rows.jsonl", rows)
    held = load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    held.to_parquet(tmp_path / "rows.parquet")
    held.save_to_disk(tmp_path / "saved")
    for source in (path, tmp_path / "rows.parquet", tmp_path / "saved"):
        loaded, told = load(source)
        assert [json.dumps(row) for row in loaded] == [json.dumps(row) for row in rows] and told == []


def test_data_set_of_the_hub_is_read_like_its_clone(tmp_path, monkeypatch):
    """As the hub's cache holds a data set that was downloaded before; the tests have no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    place = tmp_path / "datasets--someone--news"
    revision = "0" * 40
    (place / "refs").mkdir(parents=True)
    (place / "refs" / "main").write_text(revision)
    write(place / "snapshots" / revision, CLONE)
    for file in (place / "snapshots" / revision).rglob("*.parquet"):  # the cache holds links to files without an ending
        blob = place / "blobs" / file.name.replace(".", "-")
        blob.parent.mkdir(exist_ok=True)
        shutil.move(file, blob)
        file.symlink_to(blob)
    assert load_rows("someone/news") == ROWS
