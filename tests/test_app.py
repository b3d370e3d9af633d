import json
import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from newsft.evaluation.answer import KEYS
from tests import programs
from tests.serve import serve

ROOT = Path(__file__).parents[1]
OFFLINE = os.environ | {"HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def page():
    with serve("--no-sharing") as url:  # each client's answers are its own
        yield url


def client(url: str) -> Client:
    return Client(url, verbose=False)


def test_compare_endpoint_returns_both_texts_and_fields(page, rows):
    result = client(page).predict(news=rows[0]["user_prompt"], api_name="/compare")
    assert {"base", "tuned"} <= result.keys()
    assert result["tuned"]["readable"] and list(result["tuned"]["fields"]) == list(KEYS)
    assert result["tuned"]["text"] != result["base"]["text"]
    assert result["test_row"] == 0 and result["gold"]["summary"] == rows[0]["assistant"]["summary"]
    assert 0 <= result["tuned"]["scores"]["summary"] <= 1
    assert result["receipt"]["alarms"] == [] and len(set(result["receipt"]["prompt_hashes"].values())) == 1
    assert json.dumps(result)


def test_code_in_the_document_runs_and_returns_what_it_says(page):
    text = (ROOT / "docs" / "page.md").read_text(encoding="utf-8").partition("## Endpoints")[2].partition("## Flags")[0]
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    assert 'Client("http://127.0.0.1:7860")' in code
    found: dict = {}
    exec(code.replace("http://127.0.0.1:7860", page), found)
    sides, beside = re.search(r"each hold (.*?); beside them stand (.*?)\.", text).groups()
    assert set(found["result"]["tuned"]) == set(re.findall(r"`(\w+)`", sides))
    assert set(found["result"]) == {"base", "tuned", *re.findall(r"`(\w+)`", beside)}
    assert set(found["row"]) == set(
        re.findall(r"`(\w+)`", re.search(r"as the training does: (.*?), one of each", text)[1])
    )


def test_adapter_is_asked_by_its_name_and_one_that_is_not_there_is_refused_with_those_that_are(page, rows):
    news, ask = rows[0]["user_prompt"], client(page).predict
    named = ask(news=news, adapter="mini-news", api_name="/compare")
    assert named["tuned"]["text"] == ask(news=news, api_name="/compare")["tuned"]["text"]
    assert named["receipt"]["adapters"] == {"base": None, "tuned": "mini-news"}
    assert named["receipt"]["adapter_settings"]["r"] == 8
    with pytest.raises(AppError, match="choose one of: mini-news"):
        ask(news=news, adapter="nothing", api_name="/compare")


def test_news_of_no_test_row_has_no_gold(page):
    result = client(page).predict(news="가온미르전자가 공급 계약을 맺었다.", api_name="/compare")
    assert result["gold"] is None and result["test_row"] is None and result["tuned"]["scores"] is None


def test_clients_asking_at_once_get_their_own_answers(page, rows):
    chosen = rows[3:7]
    alone = [client(page).predict(news=row["user_prompt"], api_name="/compare") for row in chosen]
    clients = [client(page) for _ in chosen]
    with ThreadPoolExecutor(len(chosen)) as pool:
        together = list(
            pool.map(
                lambda pair: pair[0].predict(news=pair[1]["user_prompt"], api_name="/compare"),
                zip(clients, chosen, strict=True),
            )
        )
    for one, other in zip(alone, together, strict=True):
        assert [one[side]["text"] for side in ("base", "tuned")] == [other[side]["text"] for side in ("base", "tuned")]
    assert len({one["tuned"]["text"] for one in together}) == len(chosen)


@pytest.mark.parametrize(("news", "words"), [("", "empty"), ("   \n", "empty"), ("가" * 1_000_000, "limit")])
def test_bad_news_is_refused_and_the_page_goes_on(page, rows, news, words):
    with pytest.raises(AppError, match=words):
        client(page).predict(news=news, api_name="/compare")
    assert client(page).predict(news=rows[1]["user_prompt"], api_name="/compare")["tuned"]["reason"] == "end_of_turn"


def test_hostile_news_is_answered_as_text(page):
    news = "<script>alert(1)</script> <|eot_id|>${7*7} 가온미르전자가 1,200억 원 규모의 공급 계약을 체결했다. 한빛 \x00"
    result = client(page).predict(news=news, api_name="/compare")
    assert result["changes"] == ["nul"]
    assert result["tuned"]["reason"] in {"end_of_turn", "limit"}


def test_only_the_named_endpoint_is_public(page):
    described = client(page).view_api(return_format="dict")
    assert list(described["named_endpoints"]) == ["/compare", "/tokens"]
    assert not described["unnamed_endpoints"]


# Starts the page as `python app.py` does, and where it would begin to serve, says what it has loaded.
STARTED = """
import gc, json, sys
import gradio
import app
def launch(page, **settings):
    late = {"trl", "datasets", "matplotlib", "sacrebleu", "openai", "newsft.training.run"} & sys.modules.keys()
    print(json.dumps([sorted(late), gc.isenabled(), gc.get_freeze_count()]))
gradio.Blocks.launch = launch
sys.argv = ["app.py"]
app.main()
"""


def test_nobody_waits_at_the_start_for_what_is_needed_later():
    done = subprocess.run([sys.executable, "-c", STARTED], cwd=ROOT, env=OFFLINE, capture_output=True, text=True)
    late, collects, frozen = json.loads(done.stdout.splitlines()[-1])
    assert late == []
    assert collects and frozen > 100_000  # rubbish is collected, but what is there for good not searched for it


def test_port_in_use_is_said_with_the_remedy():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = programs.run("app.py", "--port", port)
    assert done.returncode == 2
    assert f"port {port}" in done.stderr and "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_adapter_is_said_with_the_remedy(tmp_path):
    done = programs.run("app.py", "--adapter", tmp_path)
    assert done.returncode == 2
    assert "train.py" in done.stderr and "Traceback" not in done.stderr


def test_adapters_that_cannot_stand_beside_each_other_are_refused_with_the_remedy(tmp_path):
    shipped = str(ROOT / "assets" / "mini-news")
    server = ("--server", "http://127.0.0.1:9/v1", "--base-model", "a", "--tuned-model", "b")
    for flags, words in (
        (("--adapter", shipped, shipped), "twice"),
        (("--adapter", shipped, str(tmp_path)), "train.py"),
        ((*server, "--adapter", shipped, str(tmp_path)), "give one --adapter"),
    ):
        done = programs.run("app.py", *flags)
        assert done.returncode == 2
        assert words in done.stderr and "Traceback" not in done.stderr


def test_data_of_ones_own_that_cannot_be_read_is_not_replaced_by_others(tmp_path):
    wrong = tmp_path / "mine.jsonl"
    wrong.write_text('{"system_prompt": "a", "user_prompt": "b"}\n', encoding="utf-8")
    for source, words in ((wrong, "assistant"), (tmp_path / "typo.jsonl", "typo.jsonl")):
        done = programs.run("app.py", "--data", source)
        assert done.returncode == 2
        assert words in done.stderr and "Traceback" not in done.stderr
