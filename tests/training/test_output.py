import pytest

from newsft.errors import UserError
from newsft.training.checkpoints import STAGING, choose_checkpoint
from newsft.training.output import LOCK_FILE, claimed


@pytest.mark.parametrize("resume", [False, True])
def test_output_folder_in_use_is_refused(tmp_path, resume):
    output = tmp_path / "run"
    with claimed(output, resume=False):
        (output / "checkpoint-2").mkdir()
        with (
            pytest.raises(UserError, match=r"Another training run is writing to .*--output"),
            claimed(output, resume=resume),
        ):
            pass
        assert [path.name for path in tmp_path.iterdir()] == ["run"] and (output / "checkpoint-2").exists()
    with claimed(output, resume=True):
        pass
    assert not (output / LOCK_FILE).exists()


def test_lock_and_half_written_files_of_a_killed_run_are_no_hindrance(tmp_path):
    (tmp_path / LOCK_FILE).write_text("1")  # the number of a process that lives
    (tmp_path / STAGING / "checkpoint-2").mkdir(parents=True)
    with claimed(tmp_path, resume=False):
        assert {path.name for path in tmp_path.iterdir()} == {LOCK_FILE}


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
    assert [path.name for path in other.iterdir()] == ["cat.jpg"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not a folder"), claimed(tmp_path / "file", resume=False):
        pass


def test_resume_without_a_whole_checkpoint_is_refused(tmp_path):
    (tmp_path / "checkpoint-9").mkdir()
    (tmp_path / "checkpoint-9" / "trainer_state.json").write_text("{}")
    with pytest.raises(UserError, match="no whole checkpoint"):
        choose_checkpoint(tmp_path, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_run_that_fails_before_it_wrote_anything_leaves_no_folder(tmp_path, resume):
    output = tmp_path / "new" / "run"
    with pytest.raises(UserError), claimed(output, resume=resume):
        choose_checkpoint(output, resume=True)
    assert list(tmp_path.iterdir()) == []
    output.mkdir(parents=True)
    with pytest.raises(UserError), claimed(output, resume=resume):
        choose_checkpoint(output, resume=True)
    assert output.is_dir()  # it was there
    with pytest.raises(UserError), claimed(output / "checkpoint-1", resume=resume):
        (output / "checkpoint-1" / "kept").write_text("")
        raise UserError("later")
    assert (output / "checkpoint-1" / "kept").exists()
