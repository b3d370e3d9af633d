import os

import pytest

from newsft.errors import UserError
from newsft.output import LOCK_FILE, choose_checkpoint, claimed


def test_output_folder_in_use_is_refused(tmp_path):
    (tmp_path / LOCK_FILE).write_text(str(os.getpid()))
    with pytest.raises(UserError, match="Another training run"), claimed(tmp_path, resume=False):
        pass
    assert (tmp_path / LOCK_FILE).exists()


def test_earlier_run_is_moved_aside_and_foreign_folders_are_left_alone(tmp_path):
    run = tmp_path / "run"
    (run / "checkpoint-2").mkdir(parents=True)
    with claimed(run, resume=False):
        assert (tmp_path / "run.1" / "checkpoint-2").is_dir()
    other = tmp_path / "photos"
    other.mkdir()
    (other / "cat.jpg").write_bytes(b"x")
    with pytest.raises(UserError, match="not a training run"), claimed(other, resume=False):
        pass
    assert (other / "cat.jpg").exists()


def test_resume_without_a_whole_checkpoint_is_refused(tmp_path):
    (tmp_path / "checkpoint-9").mkdir()
    (tmp_path / "checkpoint-9" / "trainer_state.json").write_text("{}")
    with pytest.raises(UserError, match="no whole checkpoint"):
        choose_checkpoint(tmp_path, resume=True)
