"""Runs of readers, by train.py itself on a tiny model: stopped, resumed, queued, killed, broken on purpose, left alone."""

import dataclasses
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from newsft.errors import UserError
from newsft.recipe import RECIPES
from newsft.runs import run as one_run
from newsft.runs.runs import PREFIX, Runs
from newsft.runs.wish import Limits, Wish
from tests import programs, tiny

ROOT = Path(__file__).parents[2]
PATIENCE = 600.0
LARGEST = 45_000  # bytes of a file on the full disk: enough for an adapter of rank 64, not for the optimizer's state
WISH = Wish(rows=16, steps=80, rank=4, alpha=8, targets=("q_proj", "v_proj"), learning_rate=0.01)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    if before is None:
        del os.environ["OMP_NUM_THREADS"]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    model, rows = tiny.write_model(folder / "model"), tiny.write_rows(folder / "rows.jsonl", tiny.make_rows(38))
    return dataclasses.replace(RECIPES["mini"], model=str(model), data=str(rows), max_length=256)


@pytest.fixture
def runs(base, monkeypatch):
    """A page's runs, each forked where everything is imported already."""
    forked = SimpleNamespace(Popen=programs.popen, PIPE=subprocess.PIPE, STDOUT=subprocess.STDOUT)
    monkeypatch.setattr(one_run, "subprocess", forked)
    made = Runs(base)
    yield made
    made.close()
    assert not made._root.exists()


def until(holds, *, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def end(runs: Runs, reader: str) -> one_run.Run:
    until(lambda: runs.find(reader).state not in one_run.BUSY)
    return runs.find(reader)


def log(run: one_run.Run) -> str:
    return (run.folder / "log.txt").read_text(encoding="utf-8")


def test_stopped_and_resumed_run_is_the_command_lines_bit_for_bit_and_the_second_waits(runs, base, tmp_path):
    told = []
    runs.on_done = lambda run: told.append((run.reader, run.state))
    first = runs.start("anna", WISH)
    runs.start("berta", dataclasses.replace(WISH, steps=3))
    until(lambda: runs.progress("berta").place == 1)  # once the first has begun
    with pytest.raises(UserError) as caught:
        runs.start("anna", WISH)
    assert caught.value.key == "run_second"
    until(lambda: runs.progress("anna").step >= 3)
    runs.stop("anna")
    stopped = end(runs, "anna")
    assert (stopped.state, stopped.problem) == (one_run.STOPPED, None), log(stopped)
    at = runs.progress("anna").step
    assert 3 <= at < 80 and [path.name for path in stopped.output.glob("checkpoint-*")][-1]
    assert not (stopped.output / "adapter_model.safetensors").exists()
    with pytest.raises(UserError) as caught:
        stopped.pack()
    assert caught.value.key == "run_unfinished"

    runs.resume("anna")
    assert end(runs, "berta").state == one_run.DONE
    assert end(runs, "anna").state == one_run.DONE, log(first)
    assert f"resumed at step {at}" in log(first)
    progress = runs.progress("anna")
    assert [one["step"] for one in progress.steps] == list(range(1, 81)) and progress.moved
    assert told == [("berta", one_run.RUNNING), ("anna", one_run.RUNNING)]

    output = tmp_path / "by-hand"
    flags = [str(output) if flag == first.recipe.output else flag for flag in first.flags]
    subprocess.run([sys.executable, "train.py", *flags], cwd=ROOT, check=True, capture_output=True)
    names = ("adapter_model.safetensors", "adapter_config.json")
    assert [(output / name).read_bytes() for name in names] == [(first.output / name).read_bytes() for name in names]

    with zipfile.ZipFile(first.pack()) as archive:
        held = archive.namelist()
        told = [archive.read(name).decode() for name in held if name.endswith((".json", ".md"))]
    assert len(told) >= 4 and not any(str(place) in text for text in told for place in (runs._root, base.model))
    assert not any(first.output.glob("checkpoint-*"))
    assert "my-adapter/adapter_model.safetensors" in held and not any("checkpoint" in name for name in held)


def test_run_with_a_mistake_is_shown_as_it_is_trained_and_does_not_move(runs):
    runs.start("anna", dataclasses.replace(WISH, steps=2, faults=("header_spaces",)))
    run = end(runs, "anna")
    progress = runs.progress("anna")
    assert (progress.state, progress.moved) == (one_run.DONE, False), log(run)
    assert "FAILED: no label" in progress.report
    batch = progress.rows
    assert len(batch) == 2 and all(set(row.labels) == {-100} for row in batch)
    assert "the adapter did not move" in log(run)


def test_killed_trainer_is_told_and_the_page_goes_on(runs):
    runs.start("anna", WISH)
    until(lambda: runs.progress("anna").step >= 11)  # behind the first checkpoint
    runs.find("anna").process.kill()
    run = end(runs, "anna")
    assert (run.state, run.problem.key) == (one_run.FAILED, "run_died") and run.resumable
    runs.resume("anna")
    assert end(runs, "anna").state == one_run.DONE, log(run)


def test_run_that_does_not_fit_the_data_says_so_in_its_own_words(runs):
    runs.start("anna", dataclasses.replace(WISH, rows=20))
    run = end(runs, "anna")
    assert (run.state, run.problem.key, run.problem.values["held"]) == (one_run.FAILED, "train_rows", 19)


def test_run_ends_with_the_page_that_was_killed_and_its_folder_goes_with_the_next(base, tmp_path):
    code = f"""
        import time
        from newsft.recipe import Recipe
        from newsft.runs.runs import Runs
        from newsft.runs.wish import Wish
        runs = Runs({base!r})
        run = runs.start("anna", {WISH!r})
        while runs.progress("anna").step < 2:
            time.sleep(0.02)
        print(run.process.pid, runs._root, flush=True)
        time.sleep(600)
    """
    page = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    child, folder = page.stdout.readline().split()
    page.send_signal(signal.SIGKILL)
    page.wait()
    until(lambda: not is_alive(int(child)), seconds=60)
    assert Path(folder).exists() and Path(folder).name.startswith(PREFIX)
    Runs(base).close()
    assert not Path(folder).exists()


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def finish(runs: Runs, reader: str, *, ended: float, size: int = 10) -> one_run.Run:
    """A run as it would stand if it had been trained."""
    folder = runs._root / f"{reader}-{ended}"
    folder.mkdir()
    (folder / "adapter").write_bytes(b"x" * size)
    made = one_run.Run(folder.name, reader, runs.base, (), folder, state=one_run.DONE, ended=ended)
    runs._runs.append(made)
    return made


def test_old_runs_and_those_beyond_the_share_and_the_disk_are_removed(base):
    gone = []
    runs = Runs(base, limits=Limits(age=100, per_reader=2, kept=25), on_gone=lambda run: gone.append(run.id))
    try:
        for reader, ended in (("old", 1.0), ("anna", 150.0), ("anna", 151.0), ("anna", 152.0)):
            finish(runs, reader, ended=ended)
        runs.sweep(now=160.0)
        assert gone == ["old-1.0", "anna-150.0"]
        assert runs.find("old") is None and len(runs.finished("anna")) == 2
        big = finish(runs, "berta", ended=153.0, size=20)
        runs.sweep(now=160.0)
        assert gone[2:] == ["anna-151.0", "anna-152.0"] and big.folder.exists()
    finally:
        runs.close()


def test_stopped_runs_push_no_finished_one_out_and_the_newest_of_all_stays(base):
    runs = Runs(base, limits=Limits(per_reader=1, kept=25))
    try:
        good = finish(runs, "anna", ended=1.0)
        stopped = [finish(runs, "anna", ended=number) for number in (2.0, 3.0, 4.0)]
        for run in stopped:
            run.state = one_run.STOPPED
        runs.sweep(now=5.0)
        assert runs.finished("anna") == [good] and runs.find("anna") is stopped[-1]  # which alone can go on
        assert [run.folder.exists() for run in stopped] == [False, False, True]
        large = finish(runs, "berta", ended=5.0, size=100)
        runs.sweep(now=6.0)
        assert runs._runs == [large] and large.folder.exists()
    finally:
        runs.close()


def test_a_full_queue_and_a_reader_without_a_name_are_refused(base, monkeypatch):
    monkeypatch.setattr(Runs, "_work", lambda self: None)
    runs = Runs(base, limits=Limits(waiting=1))
    try:
        with pytest.raises(UserError) as caught:
            runs.start("", WISH)
        assert caught.value.key == "run_no_reader"
        runs.start("anna", WISH)
        with pytest.raises(UserError) as caught:
            runs.start("berta", WISH)
        assert caught.value.key == "run_full"
        runs.stop("anna")
        assert runs.find("anna").state == one_run.STOPPED
        runs.start("berta", WISH)
    finally:
        runs.close()


def test_disk_that_is_full_in_the_middle_is_told_and_the_run_goes_on_when_there_is_room(runs):
    # From the start of the process on no file can grow beyond what the adapter needs: the system refuses it as it refuses a byte beyond the disk.
    runs.start("anna", dataclasses.replace(WISH, rank=64))
    until(lambda: runs.find("anna").process is not None)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(runs.find("anna").process.pid, resource.RLIMIT_FSIZE, (LARGEST, hard))
    run = end(runs, "anna")
    assert (run.state, run.problem.key) == (one_run.FAILED, "run_disk"), log(run)
    assert "MB are free" in run.problem.values["reason"]
    runs.resume("anna")
    assert end(runs, "anna").state == one_run.DONE, log(run)


def test_full_disk_is_told(base, monkeypatch):
    runs = Runs(base)
    try:

        def full(*_, **__):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "mkdir", full)
        with pytest.raises(UserError) as caught:
            runs.start("anna", WISH)
        assert caught.value.key == "run_disk" and "No space left" in str(caught.value)
        assert runs.find("anna") is None
    finally:
        monkeypatch.undo()
        runs.close()
