import json

import pytest

from newsft.errors import UserError
from newsft.evaluation import generate
from newsft.evaluation.results import ANSWERS_FILE, SETTINGS_FILE
from newsft.evaluation.run import find_settings


@pytest.fixture(scope="module")
def few(rows):
    return rows[:5]


@pytest.fixture(scope="module")
def whole(engine, few, tmp_path_factory):
    """An undisturbed run's file."""
    folder = tmp_path_factory.mktemp("whole")
    run(engine, few, folder)
    return (folder / ANSWERS_FILE).read_bytes()


def settings_of(engine, few):
    return find_settings(engine, few) | {"batch_rows": 2}


def run(engine, few, folder):
    return list(generate.generate_all(engine, few, folder, find_settings(engine, few), batch_rows=2))


def test_every_row_is_answered_once_by_each_side(whole):
    found = [json.loads(line) for line in whole.splitlines()]
    assert sorted((one["row"], one["side"]) for one in found) == sorted(
        (row, side) for row in range(5) for side in ("base", "tuned")
    )
    assert all(one["reason"] in ("end_of_turn", "limit") and one["tokens"] > 0 for one in found)


def test_batched_answers_are_those_of_single_comparisons(engine, few, whole):
    for one in map(json.loads, whole.splitlines()):
        *_, last = engine.compare(few[one["row"]]["user_prompt"], system_prompt=few[one["row"]]["system_prompt"])
        assert last.answers[one["side"]].text == one["text"]


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999, 1])
def test_killed_anywhere_it_goes_on_to_the_same_file(engine, few, whole, tmp_path, share, monkeypatch):
    (tmp_path / SETTINGS_FILE).write_text(json.dumps(settings_of(engine, few)))
    (tmp_path / ANSWERS_FILE).write_bytes(whole[: int(len(whole) * share)])
    asked, generate_batch = [], generate.generate_batch
    monkeypatch.setattr(
        generate,
        "generate_batch",
        lambda engine, rows, numbers: asked.append(numbers) or generate_batch(engine, rows, numbers),
    )
    batches = run(engine, few, tmp_path)
    assert (tmp_path / ANSWERS_FILE).read_bytes() == whole
    assert [one.row for batch in batches for one in batch] == [json.loads(line)["row"] for line in whole.splitlines()]
    assert len(asked) == {0: 3, 0.1: 3, 1: 0}.get(share, len(asked)) <= 3


def test_lines_that_are_not_this_run_s_are_cut_off(engine, few, whole, tmp_path):
    (tmp_path / SETTINGS_FILE).write_text(json.dumps(settings_of(engine, few)))
    first = whole.splitlines(keepends=True)[:4]
    (tmp_path / ANSWERS_FILE).write_bytes(b"".join(first) + b'{"row": 1}\n' + b"\xff\n")
    run(engine, few, tmp_path)
    assert (tmp_path / ANSWERS_FILE).read_bytes() == whole


def test_answers_of_other_settings_are_refused_and_kept(engine, few, tmp_path):
    settings = settings_of(engine, few) | {"adapter_fingerprint": "0" * 16}
    (tmp_path / SETTINGS_FILE).write_text(json.dumps(settings))
    with pytest.raises(UserError, match="adapter_fingerprint"):
        run(engine, few, tmp_path)
    assert json.loads((tmp_path / SETTINGS_FILE).read_text()) == settings


def test_a_folder_with_something_else_is_refused(engine, few, tmp_path):
    (tmp_path / "diary.txt").write_text("가")
    with pytest.raises(UserError, match="not an evaluation"):
        run(engine, few, tmp_path)
    with pytest.raises(UserError, match="folder"):
        run(engine, few, tmp_path / "diary.txt")
