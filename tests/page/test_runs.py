"""The part 직접 학습하기: when it is there, and what its handlers show of a reader's run."""

import json
import re
import secrets
from argparse import Namespace
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

import app
from newsft.data.messages import row_messages
from newsft.encoding.collate import pad_batch
from newsft.errors import UserError
from newsft.page.html.runs import format_preview, format_progress, format_run
from newsft.page.html.training import format_settings
from newsft.page.tabs.run_handlers import RunHandlers, check_reader, name_adapters, say_found, show_flags
from newsft.page.tabs.runs import find_layers
from newsft.page.texts import say
from newsft.recipe import RECIPES
from newsft.runs.run import DONE, FAILED, RUNNING, STOPPED, STOPPING, WAITING, Progress, Run
from newsft.runs.runs import Runs
from newsft.runs.wish import Preview
from tests import tiny
from tests.page.html.test_compare import LANGUAGES, Page

MINI = RECIPES["mini"]
ANNA, BERTA = (secrets.token_urlsafe(16) for _ in range(2))
CHOICE = ("page", None, 4, 2, 8, 32, 0.001, ["q_proj"], [])
STEPS = ({"step": 1, "loss": 1.5}, {"step": 2, "loss": 1.25})


@pytest.fixture
def runs(monkeypatch):
    """Nothing is trained: whatever is started waits."""
    monkeypatch.setattr(Runs, "_work", lambda self: None)
    made = Runs(MINI)
    yield made
    made.close()


class Engine:
    """What a run's end asks of an engine."""

    def __init__(self, chat):
        self.chat, self.held = chat, {}

    def add_adapter(self, name, folder, *, listed):
        assert not listed
        self.held[name] = folder

    def remove_adapter(self, name):
        if name not in self.held:
            raise UserError("unknown")
        del self.held[name]


@pytest.fixture
def handlers(runs, chat):
    return RunHandlers(Engine(chat), runs)


def chosen(*, train="auto", host="127.0.0.1", share=False, server=None, changeable=True):
    arguments = Namespace(train=train, host=host, share=share, server=server)
    engine = SimpleNamespace(capabilities=SimpleNamespace(changeable=changeable))
    made = app.choose_runs(arguments, SimpleNamespace(engine=engine, recipe=MINI))
    if isinstance(made, Runs):
        made.close()
        return "on"
    return made


def test_training_is_on_where_the_page_is_open_to_this_computer_alone(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert chosen() == chosen(host="localhost") == "on"
    assert chosen(host="0.0.0.0") == chosen(share=True) == chosen(host="192.168.0.5") == "train_off_public"
    assert chosen(train="on", host="0.0.0.0") == chosen(train="on", share=True) == "on"
    assert chosen(train="off") == "train_off_flag"
    assert chosen(server="http://x") == "train_off_served"
    assert chosen(changeable=False) == "train_off_engine"
    with pytest.raises(UserError, match="--train on needs a model in this process"):
        chosen(train="on", changeable=False)
    monkeypatch.setenv("SPACE_ID", "owner/name")
    assert chosen() == "train_off_public"
    assert chosen(train="on") == "on"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_why_it_is_off_names_the_remedy(language):
    for key, remedy in (
        ("train_off_flag", "--train on"),
        ("train_off_public", "--train on"),
        ("train_off_served", "--server"),
        ("train_off_engine", "python app.py"),
    ):
        assert remedy in say(key, language)


def test_start_puts_a_run_into_the_queue_and_each_reader_sees_their_own(handlers, runs):
    reader, shown, problem, status, *_, timer, _ = handlers.start(ANNA, "ko", *CHOICE)
    assert (reader, shown, problem) == (ANNA, "", None) and "1번째" in status and timer.active
    handlers.start(BERTA, "en", *CHOICE)
    assert "You are number 2" in handlers.look(BERTA, "en", None)[0]
    assert say("train_none", "en") in handlers.look(secrets.token_urlsafe(16), "en", None)[0]
    assert say("error_run_second", "ko") in handlers.start(ANNA, "ko", *CHOICE)[1]
    handlers.stop(ANNA, "ko")
    assert [run.reader for run in runs._queue] == [BERTA]
    assert say("train_stopped_early", "ko") in handlers.look(ANNA, "ko", None)[0]
    assert handlers.resume(ANNA, "ko")[0] == "" and runs.progress(ANNA).place == 2


def test_late_answer_to_the_opened_tab_does_not_end_the_looking(handlers, runs):
    *_, timer, _ = handlers.look("", "ko", None)  # asked before the start, answered behind it
    assert timer == gr.skip()
    handlers.start(ANNA, "ko", *CHOICE)
    *_, timer, _ = handlers.tick(ANNA, "ko", None)
    assert timer.active
    runs.stop(ANNA)
    *_, timer, _ = handlers.tick(ANNA, "ko", None)
    assert not timer.active


NO_COLUMNS = {
    "ko": "bad.jsonl에 system_prompt, user_prompt, assistant 열이 없습니다. 들어 있는 열은 question입니다.",
    "en": "bad.jsonl has no column system_prompt, user_prompt, assistant; it has question.",
}


ROW = {"system_prompt": "답합니다.", "user_prompt": "뉴스", "assistant": "{'summary': '요약'}"}
HELLO = {"role": "user", "content": "안녕"}
REPLY = {"role": "assistant", "content": "네"}


def _lines(*rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


BAD_FILES = {
    "no_rows": _lines(),
    "empty_cells": _lines(ROW, *[ROW | {"user_prompt": " "}] * 12),
    "cells_no_text": _lines(ROW, ROW | {"user_prompt": 3}),
    "cells_no_literal": "[" + _lines(ROW)[:-1].replace("\"{'summary': '요약'}\"", '{"a": NaN}') + "}]",
    "empty_half": _lines(ROW),
    "no_utf8": b"\xff\xff\xff",
    "rows_no_object": _lines(ROW, 3),
    "no_json": "[{",
    "no_json_line": _lines(ROW) + "\n{",
    "no_csv": 'a,b\n"c"d,e\n',
    "columns_twice": "a,b,a\n1,2,3\n",
    "uneven_rows": "a,b\n1,2,3\n",
    "upload_damaged": b"PAR1",
    "rows_too_long": _lines(*[ROW | {"assistant": "가나 " * 9_000}] * 3),
    "row_tools": _lines({"messages": [HELLO, REPLY], "tools": [{}]}),
    "row_no_messages": _lines({"messages": "안녕"}),
    "row_calls": _lines({"messages": [HELLO, REPLY | {"tool_calls": [{}]}]}),
    "row_role": _lines({"messages": [HELLO | {"role": "narrator"}, REPLY]}),
    "row_part": _lines({"messages": [HELLO | {"content": [{"type": "image_url"}]}, REPLY]}),
    "row_no_text": _lines({"messages": [HELLO | {"content": 3}, REPLY]}),
    "row_flag": _lines({"messages": [HELLO, REPLY | {"train": "yes"}]}),
    "row_flags": _lines({"messages": [HELLO, REPLY | {"train": True, "weight": 0}]}),
    "row_trained": _lines({"messages": [HELLO | {"train": True}, REPLY]}),
    "row_no_answer": _lines({"messages": [HELLO]}),
    "row_no_question": _lines({"messages": [REPLY]}),
    "row_blank": _lines({"messages": [HELLO | {"content": ""}, REPLY]}),
}


@pytest.mark.parametrize("key", BAD_FILES)
def test_what_is_wrong_with_a_file_is_said_in_the_readers_language(handlers, runs, key, tmp_path):
    ending = {"no_csv": "csv", "columns_twice": "csv", "uneven_rows": "csv", "upload_damaged": "parquet"}.get(key)
    bad = tmp_path / f"bad.{ending or 'jsonl'}"
    content = BAD_FILES[key]
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    for language in LANGUAGES:
        shown = unescape(handlers.preview(language, "upload", str(bad), 1, *CHOICE[3:])[0])
        text = re.escape(say(f"error_{key}", language).replace("{{", "{").replace("}}", "}"))
        assert re.search(re.sub(r"\\\{\w+(:[^}]*)?\\\}", ".+", text), shown), (key, shown)
        assert str(tmp_path) not in shown and ("bad." in shown or key in ("empty_half", "rows_too_long"))
        assert key != "empty_cells" or ("10 외 2개" if language == "ko" else "10 and 2 more") in shown


def test_rows_follow_a_file_that_has_fewer(handlers, tmp_path):
    path = tiny.write_rows(tmp_path / "mine.jsonl", tiny.make_rows(10))
    untouched = gr.skip()
    assert handlers.fit_rows(str(path), 40) == 5 and handlers.fit_rows(str(path), 3) == untouched
    (tmp_path / "bad.jsonl").write_text("{")
    assert handlers.fit_rows(str(tmp_path / "bad.jsonl"), 40) == handlers.fit_rows(None, 40) == untouched


@pytest.mark.parametrize("language", LANGUAGES)
def test_wrong_choices_are_said_in_the_readers_language_and_nothing_begins(handlers, runs, language, tmp_path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question": "<script>x</script>"}\n')
    for choice, said in (
        (("page", None, 4, 0, 8, 32, 0.001, ["q_proj"], []), say("train_steps", language)),
        (("page", None, 4, 2, 8, 32, None, ["q_proj"], []), say("train_rate", language)),
        (("page", None, 4, 2, 8, 32, 0.001, [], []), say("error_run_targets", language)),
        (("page", None, 900, 2, 8, 32, 0.001, ["q_proj"], []), "496"),
        (("upload", None, *CHOICE[2:]), say("error_run_no_upload", language)),
        (("upload", str(bad), *CHOICE[2:]), NO_COLUMNS[language]),
    ):
        shown = [handlers.start(ANNA, language, *choice)[1], handlers.preview(language, *choice)[0]]
        assert all(said in one and 'role="alert"' in one and "<script>" not in one for one in shown), said
    assert runs.find(ANNA) is None


def test_good_file_is_previewed_and_kept_for_the_run(handlers, runs, tmp_path):
    path = tiny.write_rows(tmp_path / "mine.jsonl", [row | {"system_prompt": "<b>"} for row in tiny.make_rows(10)])
    choice = ("upload", str(path), *CHOICE[2:])
    shown, _ = handlers.preview("ko", *choice)
    assert "&lt;b&gt;" in shown and say("train_halves", "ko", tests=5, trained=4) in shown
    assert handlers.start(ANNA, "ko", *choice)[1] == ""
    path.unlink()
    run = runs.find(ANNA)
    assert (run.folder / "rows.jsonl").exists() and run.recipe.data == str(run.folder / "rows.jsonl")
    about = handlers._show_run(run, runs.progress(ANNA), "ko")
    assert "--data rows.jsonl" in about and "--output my-adapter" in about and str(run.folder) not in about


def test_preview_and_problem_are_said_again_in_another_language(handlers, tmp_path):
    path = tiny.write_rows(tmp_path / "mine.jsonl", tiny.make_rows(10))
    good, bad = ("upload", str(path), *CHOICE[2:]), ("page", None, 900, *CHOICE[3:])
    previews = {language: handlers.preview(language, *good) for language in LANGUAGES}
    problems = {language: handlers.preview(language, *bad) for language in LANGUAGES}
    begun = {language: handlers.start(ANNA, language, *bad)[1:3] for language in LANGUAGES}
    for said in (previews, problems, begun):
        assert said["ko"][0] != said["en"][0]
        for first in LANGUAGES:  # whichever it was asked in
            assert {language: say_found(language, said[first][1]) for language in LANGUAGES} == {
                language: said[language][0] for language in LANGUAGES
            }
    assert say_found("ko", None) == ""


@pytest.mark.parametrize("wrong", [None, "", "short", "x" * 65, 5, ["a" * 20], {}])
def test_what_is_no_token_finds_no_run_and_a_start_gives_a_new_one(handlers, runs, wrong):
    assert check_reader(wrong) == ""
    handlers.stop(wrong, "ko")
    assert say("error_run_nothing_stopped", "ko") in handlers.resume(wrong, "ko")[0]
    reader = handlers.start(wrong, "ko", *CHOICE)[0]
    assert check_reader(reader) == reader == runs.find(reader).reader and reader != wrong


def test_nothing_is_sent_twice(handlers):
    first = handlers.start(ANNA, "ko", *CHOICE)[3:]
    again = handlers.look(ANNA, "ko", first[-1])
    skipped = [isinstance(one, dict) and one.get("__type__") == "update" and len(one) == 1 for one in again]
    assert skipped == [False, True, True, True, False, False, False, True, False, False]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_state_is_well_formed_and_says_what_it_means(language):
    running = Progress(RUNNING, step=2, total=20, seconds_left=75.0, steps=STEPS)
    died = UserError("x", key="run_died", code=-9)
    states = {
        say("train_waiting", language, place=3): Progress(WAITING, place=3, total=20),
        say("train_loading", language): Progress(RUNNING, total=20),
        say("train_minutes", language, minutes=1, seconds=15): running,
        say("train_stopping", language): replace(running, state=STOPPING),
        say("train_stopped", language, step=2): replace(running, state=STOPPED),
        say("train_done", language): replace(running, state=DONE, moved=True),
        say("train_still", language): replace(running, state=DONE, moved=False),
        say("error_run_died", language, code=-9): replace(running, state=FAILED, problem=died),
    }
    for said, progress in states.items():
        shown = format_progress(progress, language=language)
        Page(shown)
        assert said in unescape(shown)
        assert ('role="alert"' in shown) == (progress.state == FAILED or progress.moved is False)
    about = format_run(
        replace(running, report="FAILED: <x>"), faults=("unmasked",), flags=["--data", "a b"], language=language
    )
    assert "FAILED: &lt;x&gt;" in about and "python train.py --data &#x27;a b&#x27;" in about
    found = Preview({"user_prompt": "<i>" + "가" * 400}, 3, 4, ("a < b",), "rows", False)
    shown = format_preview(found, language=language)
    assert "&lt;i&gt;" in shown and "a &lt; b" in shown and say("train_not_passed", language) in shown and "…" in shown


def test_layers_to_choose_are_those_of_the_model():
    assert find_layers(MINI.model, ("q_proj", "v_proj"))[:4] == ["q_proj", "k_proj", "v_proj", "o_proj"]
    assert find_layers("no/such-model", ("c_attn",)) == ["c_attn"]


def test_finished_adapter_is_offered_to_its_reader_alone_and_goes_with_the_run(handlers, runs):
    handlers.start(ANNA, "ko", *CHOICE)
    run = runs._queue.pop()
    assert name_adapters(runs, ANNA) == []
    runs.on_done(run)
    run.end(DONE)
    (name,) = name_adapters(runs, ANNA)
    assert handlers.engine.held == {name: str(run.output)} and run.id in name
    assert name_adapters(runs, BERTA) == name_adapters(runs, None) == name_adapters("train_off_flag", ANNA) == []
    runs.sweep(now=run.ended + runs.limits.age + 1)
    assert handlers.engine.held == {} and name_adapters(runs, ANNA) == [] and not run.folder.exists()


def test_adapter_that_the_engine_refuses_is_told_beside_the_finished_run(handlers, runs):
    handlers.start(ANNA, "ko", *CHOICE)
    run = runs._queue.pop()
    handlers.engine.add_adapter = lambda *_, **__: (_ for _ in ()).throw(UserError("another base"))
    run.end(DONE, runs._tell_done(run))
    assert "another base" in handlers.look(ANNA, "ko", None)[0]


def test_adapter_that_could_not_be_offered_or_packed_is_told_beside_the_finished_run(handlers, runs, monkeypatch):
    handlers.start(ANNA, "ko", *CHOICE)
    run = runs._queue.pop()
    handlers.engine.add_adapter = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("no thread"))
    run.end(DONE, runs._tell_done(run))
    assert say("error_run_not_offered", "ko", reason="no thread") in handlers.look(ANNA, "ko", None)[0]
    run.end(DONE)
    full = UserError("full", key="run_disk", reason="No space left on device")
    monkeypatch.setattr(type(run), "pack", lambda self: (_ for _ in ()).throw(full))
    status, *_, download, _, _ = handlers.look(ANNA, "ko", None)
    assert "No space left on device" in status and not download["interactive"]


def test_first_batch_has_one_passport_for_its_rows(handlers, chat):
    rows = pad_batch([chat.encode_row(row_messages(row)) for row in tiny.make_rows(2)], pad_id=chat.pad_id)
    shown = handlers._show_batch(SimpleNamespace(batch=True, rows=rows), "ko")
    assert shown.count('class="pair"') == shown.count('class="passport"') == 1 and shown.count("data-tokens") == 2


def test_rows_that_fail_the_check_are_not_put_into_the_queue(handlers, runs, monkeypatch):
    found = Preview({"user_prompt": "뉴스"}, 3, 4, (), "FAILED", False)
    monkeypatch.setattr("newsft.page.tabs.run_handlers.preview", lambda *_: found)
    assert say("error_preflight_failed", "ko") in handlers.start(ANNA, "ko", *CHOICE)[1]
    assert runs.find(ANNA) is None
    assert handlers.start(ANNA, "ko", *CHOICE[:-1], ["unmasked"])[1] == "" and runs.find(ANNA)


def test_command_for_a_terminal_names_no_place_on_this_machine(handlers, runs):
    runs.base = replace(MINI, model="/home/anna/models/mini", adapter="/home/anna/adapter", evaluation="/home/anna/e")
    run = Run("1", ANNA, replace(runs.base, data="/home/anna/rows.jsonl"), (), Path("/tmp/x"))
    assert "/home" not in " ".join(show_flags(run)) and "rows.jsonl" in show_flags(run)
    shown = format_settings(run.recipe, language="ko")
    assert "/home" not in shown and "rows.jsonl" in shown
