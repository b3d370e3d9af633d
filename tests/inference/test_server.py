"""The remote engine against a real server: transformers' own, which holds the base and the merged model."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from gradio_client import Client

from newsft.errors import UserError
from newsft.inference.receipt import write_receipt
from newsft.inference.server import RemoteEngine, connect
from newsft.publish.merge import export
from newsft.recipe import RECIPES
from tests.serve import free_port, serve

MINI = RECIPES["mini"]
TRANSFORMERS = Path(sys.executable).with_name("transformers")


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export") / "merged"
    export(MINI.model, MINI.adapter, folder)
    return {"base": MINI.model, "tuned": str(folder)}


@contextmanager
def running(names: dict[str, str]):
    """The server's process and its engine, after both models have been loaded."""
    url = f"http://127.0.0.1:{free_port()}/v1"
    command = [TRANSFORMERS, "serve", "--device", "cpu", "--dtype", "float32", "--port", url.split(":")[2].removesuffix("/v1")]
    process = subprocess.Popen(command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                engine = connect(url, names, MINI)
                ask(engine, {"user_prompt": "기사", "system_prompt": "요약"})
                break
            except (UserError, RuntimeError):
                assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
                time.sleep(0.3)
        yield process, engine
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def remote(names):
    with running(names) as (_, engine):
        yield engine


def ask(engine, row, **settings):
    *_, last = engine.compare(row["user_prompt"], system_prompt=row["system_prompt"], **settings)
    return {side: answer.text for side, answer in last.answers.items()}


def test_served_models_answer_as_the_local_engine_does(remote, engine, rows):
    for row in rows[10:12]:
        assert ask(remote, row) == ask(engine, row)


def test_threads_asking_at_once_get_their_own_answers(remote, rows):
    chosen = rows[2:4]
    alone = [ask(remote, row) for row in chosen]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda row: ask(remote, row), chosen)) == alone


def test_receipt_names_the_server_and_claims_nothing_about_weights(remote, rows):
    *_, last = remote.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    receipt = write_receipt(remote, last)
    assert receipt.decoding["server"] == remote.url and receipt.adapters == remote.names
    assert receipt.difference is None and receipt.adapter_fingerprint is None and receipt.alarms == ()


def test_model_that_the_server_does_not_have_is_an_error_that_names_it(remote, rows):
    wrong = RemoteEngine(remote.url, remote.names | {"tuned": "nobody/nothing"}, remote.chat, None, max_new_tokens=5)
    with pytest.raises((UserError, RuntimeError)) as caught:
        ask(wrong, rows[0])
    assert "nobody/nothing" in str(caught.value) or "The server" in str(caught.value)
    assert ask(remote, rows[0])["tuned"].startswith("{")


def test_page_of_a_server_compares(remote, rows):
    with serve("--server", remote.url, "--base-model", remote.names["base"], "--tuned-model", remote.names["tuned"]) as url:
        result = Client(url, verbose=False).predict(news=rows[10]["user_prompt"], api_name="/compare")
    assert result["tuned"]["text"] == ask(remote, rows[10])["tuned"]


def test_death_of_the_server_in_mid_answer_is_an_error_in_time(names, rows):
    with running(names) as (process, engine):
        begun = time.monotonic()
        with pytest.raises(RuntimeError, match="failed while answering"):
            for comparison in engine.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"]):
                if comparison.answers["tuned"].text:
                    process.kill()
        assert time.monotonic() - begun < 30
        assert engine.askers == 0
    with pytest.raises(UserError, match="--server"):
        engine.check_server()


def test_flags_belong_together(monkeypatch, capsys):
    import app

    for flags, named in ((["--server", "http://127.0.0.1:1/v1"], "--base-model"), (["--base-model", "x"], "--server")):
        monkeypatch.setattr(sys, "argv", ["app.py", *flags])
        assert app.main() == 2
        assert named in capsys.readouterr().err
