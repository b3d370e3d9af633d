"""Pushing an adapter: what goes up, what is said where it cannot, and that no token gets into a file."""

import json
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import HfApi, constants
from huggingface_hub.utils import filter_repo_objects

from newsft.errors import UserError
from newsft.publish import hub
from newsft.publish.licences import Licence
from tests import programs

TOKEN = "hf_" + "ThisIsASecretOfATest"


def test_run_without_network_keeps_everything_says_how_to_push_and_holds_neither_token_nor_place(rows, tmp_path):
    few, output = tmp_path / "rows.jsonl", tmp_path / "out"
    short = sorted(rows, key=lambda row: len(row["user_prompt"]))[:8]
    few.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in short), encoding="utf-8")
    flags = f"--data {few} --output {output} --max-steps 1 --save-every 1 --eval-rows 0 --push-to-hub someone/news"
    done = programs.run("train.py", *flags.split(), HF_TOKEN=TOKEN, HUGGING_FACE_HUB_TOKEN=TOKEN)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    excluded = '--exclude "checkpoint-*" --exclude "runs/*" --exclude "training_args.bin"'
    assert f"hf upload someone/news {output} . {excluded}" in done.stderr
    assert "snapshot_download('someone/news')" in (output / "README.md").read_text(encoding="utf-8")
    files = [path for path in output.rglob("*") if path.is_file()]
    assert {"adapter_model.safetensors", "README.md", "run.json", "training_args.bin"} <= {path.name for path in files}
    assert [path for path in files if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in done.stdout + done.stderr
    pushed = list(
        filter_repo_objects(files, ignore_patterns=list(hub.LEFT_OUT), key=lambda path: str(path.relative_to(output)))
    )
    assert {"run.json", "recipe.json", "adapter_config.json", "README.md"} <= {path.name for path in pushed}
    assert [path for path in pushed if str(tmp_path).encode() in path.read_bytes()] == []
    assert json.loads((output / "recipe.json").read_text(encoding="utf-8"))["data"] == "rows.jsonl"


def test_what_goes_up_is_all_but_checkpoints_and_logs(tmp_path, monkeypatch):
    for name in (
        "adapter_model.safetensors",
        "README.md",
        "evaluation/table.md",
        "checkpoint-50/optimizer.pt",
        "checkpoint-50/rng_state.pth",
        "runs/Nov29_12-00-00_somebodys-laptop/events.out.tfevents.1",
        "training_args.bin",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    uploaded = {}

    class Hub:
        def create_repo(self, name, **_):
            return SimpleNamespace(repo_id=f"someone/{name}", url="https://hub/someone/news")

        def upload_folder(self, *, folder_path, repo_id, ignore_patterns, **_):
            files = [str(path.relative_to(folder_path)) for path in Path(folder_path).rglob("*") if path.is_file()]
            uploaded[repo_id] = set(filter_repo_objects(files, ignore_patterns=ignore_patterns))

    monkeypatch.setattr(hub, "HfApi", Hub)
    assert hub.push(tmp_path, "news") == "https://hub/someone/news"
    assert uploaded == {"someone/news": {"adapter_model.safetensors", "README.md", "evaluation/table.md"}}


@pytest.fixture
def refusing_hub():
    """The address of a hub that answers every request with 401."""

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_hub_that_does_not_know_the_token_asks_for_a_login(refusing_hub, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HfApi", partial(HfApi, endpoint=refusing_hub, token=TOKEN))
    with pytest.raises(UserError, match="hf auth login") as caught:
        hub.push(tmp_path, "someone/news")
    assert "hf upload someone/news" in str(caught.value) and TOKEN not in str(caught.value)


def test_address_where_nobody_answers_is_one_sentence_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "HfApi", partial(HfApi, endpoint="http://127.0.0.1:9", token=TOKEN))
    with pytest.raises(UserError, match="hf upload someone/news") as caught:
        hub.push(tmp_path, "someone/news")
    assert "login" not in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a/b/c", "some one/news", "someone/news.git", ""])
def test_name_that_the_hub_refuses_is_said_before_the_training(name):
    with pytest.raises(UserError, match="--push-to-hub"):
        hub.check_name(name, Licence("apache-2.0"))


def test_name_of_a_llama_begins_with_llama():
    llama = Licence("llama3.1", llama=True)
    with pytest.raises(UserError, match="someone/Llama-news"):
        hub.check_name("someone/news", llama)
    hub.check_name("someone/llama3-8b-summarizer-ko", llama)
    hub.check_name("someone/news", Licence("apache-2.0"))


def test_hf_knows_the_command_for_later(tmp_path):
    words = re.findall(r'"[^"]*"|\S+', hub.later(tmp_path, "someone/news"))
    assert words[:2] == ["hf", "upload"]
    done = subprocess.run(
        [Path(sys.executable).with_name("hf"), "upload", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert [flag for flag in words if flag.startswith("--") and flag not in done.stdout] == []
