"""The remote engine against transformers' own server, which holds the base and the merged model and takes messages alone."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree

import pytest
from gradio_client import Client

from newsft.errors import UserError
from newsft.inference.receipt import write_receipt
from newsft.inference.server import connect
from newsft.inference.types import FAILED
from newsft.publish.merge import export
from newsft.recipe import RECIPES
from tests.serve import free_port, serve

MINI = RECIPES["mini"]
TRANSFORMERS = Path(sys.executable).with_name("transformers")
# What a request has to speak against: sampling, a penalty, and an end of the answer that the model never writes (as in VARCO's config).
SAMPLING = {
    "do_sample": True,
    "temperature": 1.7,
    "top_k": 50,
    "top_p": 0.9,
    "repetition_penalty": 1.4,
    "eos_token_id": 3039,
}


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    folders = tmp_path_factory.mktemp("models")
    copytree(MINI.model, folders / "base")
    export(MINI.model, MINI.adapter, folders / "merged")
    for folder in (folders / "base", folders / "merged"):
        path = folder / "generation_config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | SAMPLING))
    return {"base": str(folders / "base"), "tuned": str(folders / "merged")}


@pytest.fixture(scope="module")
def served(names):
    """The server's process and its engine, after both models have been loaded."""
    url = f"http://127.0.0.1:{free_port()}/v1"
    command = [
        TRANSFORMERS,
        "serve",
        "--device",
        "cpu",
        "--dtype",
        "float32",
        "--port",
        url.split(":")[2].removesuffix("/v1"),
    ]
    process = subprocess.Popen(
        command, env=os.environ | {"HF_HUB_OFFLINE": "1"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                engine = connect(url, names, MINI)
                break
            except UserError:
                assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
                time.sleep(0.3)
        yield process, engine
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def remote(served):
    return served[1]


def ask(engine, row, **settings):
    *_, last = engine.compare(row["user_prompt"], system_prompt=row["system_prompt"], **settings)
    return {side: answer.text for side, answer in last.answers.items()}


def test_models_whose_config_samples_answer_as_the_local_engine_does(remote, engine, rows):
    assert remote.decoding["method"] == "greedy"
    for row in rows[10:12]:
        assert ask(remote, row) == ask(engine, row)


def test_threads_asking_at_once_get_their_own_answers(remote, rows):
    chosen = rows[2:4]
    alone = [ask(remote, row) for row in chosen]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda row: ask(remote, row), chosen)) == alone


def test_receipt_claims_nothing_about_a_prompt_that_the_server_made(remote, rows):
    *_, last = remote.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    receipt = write_receipt(remote, last)
    assert receipt.decoding["server"] == remote.url and receipt.adapters == remote.served
    assert (
        receipt.difference is None
        and receipt.adapter_fingerprint is None
        and receipt.is_prefix is None
        and receipt.alarms == ()
    )
    assert set(receipt.server_tokens.values()) == {receipt.prompt_tokens}


def test_model_that_the_server_does_not_have_is_refused_at_the_start(remote):
    with pytest.raises(UserError, match="does not answer as nobody/nothing"):
        connect(remote.url, remote.served | {"tuned": "nobody/nothing"}, MINI)


def test_page_of_a_server_compares(remote, rows):
    with serve(
        "--server", remote.url, "--base-model", remote.served["base"], "--tuned-model", remote.served["tuned"]
    ) as url:
        result = Client(url, verbose=False).predict(news=rows[10]["user_prompt"], api_name="/compare")
    assert result["tuned"]["text"] == ask(remote, rows[10])["tuned"] and result["tuned"]["error"] is None


def test_death_of_the_server_in_mid_answer_ends_both_sides_in_time(served, names, rows):
    """The last test of the file: the server of all of them is what dies."""
    process, engine = served
    begun = time.monotonic()
    for comparison in engine.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"]):
        if comparison.answers["tuned"].text:
            process.kill()
    assert time.monotonic() - begun < 30 and engine.askers == 0
    for answer in comparison.answers.values():
        assert answer.reason == FAILED and answer.error.key == "server_gone"
    with pytest.raises(UserError, match="--server"):
        connect(engine.url, names, MINI)
