"""What nobody with good intentions sends, straight to the web server: it answers in a sentence, keeps its files to itself and goes on."""

import itertools
import json
import re

import httpx
import pytest

from newsft.data.rows import split_rows
from newsft.data.text import NEWS_LIMIT
from newsft.inference.detokenizer import IncrementalDetokenizer
from newsft.inference.engine import LocalEngine
from newsft.lessons.conversations import TEXT_LIMIT
from newsft.page.middleware import MOST_BYTES
from tests.page.html.test_compare import Page
from tests.page.test_lesson_input import ODD
from tests.readers import SECONDS, Reader, Site, run
from tests.serve import serve_here

MARKUP = [
    "<img src=x onerror=alert(1)>",
    "</div><script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "{'summary': '<iframe srcdoc=\"<script>alert(1)</script>\">', 'is_stock_related': True}",
    "${alert(1)} {{constructor.constructor('alert(1)')()}} #{7*7} <%= 7 %>",
    "<a href=javascript:alert(1)>x</a><style>*{display:none}</style><base href=//evil.example>",
    "\" autofocus onfocus=alert(1) x=\"' onmouseover='alert(1)",
    "<!--><math><mtext></table><mglyph><style><!--</style><img title='--&gt;&lt;img src onerror=alert(1)&gt;'>",
]
NEVER = {"script", "img", "svg", "iframe", "a", "style", "base", "math", "object", "embed", "form", "link", "meta"}
TABS = {"template": "template-source", "tokens": "tokens-source", "lab": "lab-source"}
HUGE = "가" * 10_000_000  # 30 MB


@pytest.fixture(scope="module")
def brief(engine):
    return LocalEngine(engine.loaded, max_new_tokens=4, shares=False)


@pytest.fixture(scope="module")
def site(brief, rows):
    with serve_here(brief, split_rows(rows, test_ratio=0.5)) as url:
        yield Site(url)


def post(site: Site, path: str, **settings) -> httpx.Response:
    return httpx.post(f"{site.url}/gradio_api/{path}", timeout=SECONDS, **settings)


def call(site: Site, endpoint: str, *values) -> tuple[str, object]:
    """The last event of a public endpoint and what came with it."""
    answer = post(
        site, f"call/{endpoint}", content=json.dumps({"data": values}), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    stream = httpx.get(f"{site.url}/gradio_api/call/{endpoint}/{answer.json()['event_id']}", timeout=SECONDS).text
    *_, event = re.findall(r"event: (complete|error)\ndata: (.*)\n", stream)
    return event[0], json.loads(event[1])


def assert_harmless(shown: str) -> None:
    page = Page(shown)
    assert not NEVER & set(page.tags)
    assert not [
        name for name, _ in page.attributes if name.startswith("on") or name in {"href", "src", "style", "srcdoc"}
    ]


def assert_usable(site: Site, rows: list[dict]) -> None:
    event, (result,) = call(site, "compare", rows[1]["user_prompt"], rows[1]["system_prompt"], None)
    assert event == "complete" and result["tuned"]["tokens"] == 4


@pytest.mark.parametrize("odd", ODD)
def test_odd_news_is_answered_by_the_endpoint(site, odd):
    event, (result,) = call(site, "compare", f"가온미르전자가 공급 계약을 맺었다. {ODD[odd]}", ODD[odd], None)
    assert event == "complete" and result["tuned"]["reason"] == "limit"
    assert json.dumps(result, ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("odd", ODD)
def test_odd_text_is_no_control_token_for_the_endpoint(site, odd):
    _, (plain,) = call(
        site, "tokens", [{"role": "user", "content": "글"}, {"role": "assistant", "content": "답"}], "llama3"
    )
    event, (result,) = call(
        site,
        "tokens",
        [{"role": "user", "content": f"글{ODD[odd]}글"}, {"role": "assistant", "content": f"답{ODD[odd]}답"}],
        "llama3",
    )
    assert event == "complete"
    assert len([token for token in result["input_ids"] if token >= 128_000]) == len(
        [token for token in plain["input_ids"] if token >= 128_000]
    )


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("text", [*MARKUP, *ODD.values()])
def test_odd_text_is_shown_by_every_tab_as_text(site, tab, text):
    async def act():
        async with Reader(site) as reader:
            own = {f"{tab}-{role}": text for role in ("system", "user", "assistant")}
            # The row beside it goes into the batch, so that padding is shown too.
            return await reader.call(TABS[tab], "input", **{TABS[tab]: "own", f"{tab}-tokenizer": "model"} | own)

    shown = run(act())
    assert all(shown[:-1] if tab == "lab" else shown)  # where nothing was proved, the place of the lab's proof is empty
    for part in shown:
        page = Page(part)
        assert not (NEVER - {"a"}) & set(page.tags)  # the lab links to public reports
        assert not [name for name, _ in page.attributes if name.startswith("on") or name == "srcdoc"]
        assert not [value for name, value in page.attributes if name == "href" and not value.startswith("https://")]


@pytest.mark.parametrize("written", MARKUP)
def test_markup_that_the_model_writes_is_shown_as_text(site, rows, monkeypatch, written):
    monkeypatch.setattr(IncrementalDetokenizer, "add", lambda stream, token: written)
    monkeypatch.setattr(IncrementalDetokenizer, "finish", lambda stream: written)

    async def act():
        async with Reader(site) as reader:
            return await reader.compare(f"{rows[0]['user_prompt']} {written}")

    answered = run(act())
    assert answered.texts == [written, written]
    for column in answered.columns:
        assert_harmless(column)


def test_empty_and_over_long_texts_are_refused_in_a_sentence(site, rows):
    for news, words in (
        ("", "empty"),
        (" \n\0", "empty"),
        ("가" * (NEWS_LIMIT + 1), f"{NEWS_LIMIT:,}"),
        ("가" * 1_000_000, f"{NEWS_LIMIT:,}"),
    ):
        event, said = call(site, "compare", news, None, None)
        assert event == "error" and words in said["error"], said
    for messages in (
        [],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": "가" * 1_000_000}],
        "글",
        [{"role": "root", "content": "x"}],
        [[]] * 100,
    ):
        event, said = call(site, "tokens", messages, "llama3")
        assert event == "error" and re.search(r"must|limit|empty|write|rename", said["error"]), said
    event, said = call(site, "tokens", [{"role": "user", "content": "글"}], "../../etc/passwd")
    assert event == "error" and "llama3" in said["error"]
    assert_usable(site, rows)


def test_thirty_megabytes_are_refused_in_a_sentence_whatever_the_route(site, rows):
    body = json.dumps({"data": [HUGE]}, ensure_ascii=False).encode("utf-8")
    assert len(body) > 30_000_000
    for route in ("call/compare", "call/tokens", "queue/join", "run/predict", "cancel"):
        answer = post(site, route, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413 and "8 MB" in answer.json()["error"], route
    pieces = itertools.repeat(b" " * 65_536, MOST_BYTES // 65_536 + 2)  # in pieces: no length is announced
    answer = post(site, "call/compare", content=pieces, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413 and "8 MB" in answer.json()["detail"]
    assert_usable(site, rows)


@pytest.mark.parametrize(
    "odd", [None, -1, 1e308, [], {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "\ud800"], ids=repr
)
def test_values_of_the_wrong_kind_are_refused_without_a_trace(site, odd):
    bodies = [site.body("start", "name", {"language": odd}, "x")]
    bodies += [
        site.body(source, "input", {f"{tab}-{name}": odd}, "x")
        for tab, source in TABS.items()
        for name in ("tokenizer", "source", "number", "user")
    ]
    bodies += [site.body("lab-source", "input", {name: odd}, "x") for name in ("switches", "cut")]
    bodies += [
        site.body("open-row", "change", {"open-row": odd}, "x"),
        site.body("filter", "input", {"filter": odd}, "x"),
    ]
    for body in bodies:
        answer = post(site, "run/predict", content=json.dumps(body), headers={"Content-Type": "application/json"})
        assert answer.status_code in {200, 422, 500}
        assert "Traceback" not in answer.text and ".py" not in answer.text and "root:" not in answer.text
    for endpoint, values in (("compare", [odd, odd, odd]), ("tokens", [odd, odd])):
        if not isinstance(odd, str):
            event, said = call(site, endpoint, *values)
            assert event == "error" and "Traceback" not in json.dumps(said)


@pytest.mark.parametrize("route", ["run/run", "run/answer", "run/compare", "run/xray", "api/run", "run/predict"])
def test_no_route_goes_round_the_queue(site, rows, route):
    body = (
        site.body("run", "name", {"news": rows[0]["user_prompt"]}, "x")
        if route == "run/predict"
        else {"data": [rows[0]["user_prompt"], None], "session_hash": "x"}
    )
    answer = post(site, route, json=body)
    assert answer.status_code in {404, 500} and "tuned" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "file=/etc/passwd",
        "file=../../../../etc/passwd",
        "file=%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "file=/proc/self/environ",
        "file=app.py",
        "file=assets/news.jsonl",
        "file=requirements.txt",
        "file=http://127.0.0.1:1/",
        "file=https://example.com/",
        "file=//etc/passwd",
        "file/etc/passwd",
        "proxy=http://127.0.0.1:1/",
        "proxy=https://x.hf.space/",
        "../../etc/passwd",
        "upload_progress?upload_id=x",
        "monitoring",
        "runs",
        "run-history/records",
        "vibe-code",
        "dev/reload",
        "deep_link?session_hash=x",
        "custom_component/1/client/component/x",
        "stream/x/1/1/playlist.m3u8",
        "token",
    ],
)
def test_files_and_routes_that_the_page_does_not_need_are_closed(site, path):
    answer = httpx.get(f"{site.url}/gradio_api/{path}", timeout=SECONDS)
    assert answer.status_code in {403, 404}
    assert not re.search(r"root:|PATH=|import |user_prompt|torch==", answer.text)


def test_nothing_can_be_uploaded_or_written(site):
    for route in (
        "upload",
        "process_recording",
        "component_server",
        "vibe-edit/",
        "profiling/clear",
        "run-history/connect",
    ):
        assert post(site, route, files={"files": ("x.html", b"<script>alert(1)</script>")}).status_code == 404
    for path in (
        "/monitoring",
        "/monitoring/summary",
        "/logout",
        "/docs",
        "/assets/../app.py",
        "/static/..%2f..%2fapp.py",
        "/svelte/../../app.py",
    ):
        assert httpx.get(site.url + path, timeout=SECONDS).status_code in {403, 404}, path


def test_page_tells_the_browser_to_ask_nobody_else(site):
    answer = httpx.get(site.url)
    policy = dict(rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; "))
    assert (
        policy["default-src"] == "'self'" and policy["script-src-attr"] == "'none'" and policy["object-src"] == "'none'"
    )
    assert not [rule for name, rule in policy.items() if name != "frame-ancestors" and re.search(r"\*|https?:", rule)]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    texts = [answer.text, httpx.get(f"{site.url}/theme.css").text]
    fetched = r"""<(?:script|img|iframe)\b[^>]*\bsrc=["']?(?:https?:)?//|<link\b[^>]*\bhref=["']?(?:https?:)?//|url\(["']?(?:https?:)?//|@import\s+["'](?:https?:)?//"""
    assert [found for text in texts for found in re.findall(fetched, text)] == []


def test_page_reports_to_nobody(site):
    config = httpx.get(f"{site.url}/config").json()
    assert config["analytics_enabled"] is False
    assert not config.get("enable_monitoring") and not config.get("run_history") and not config.get("mcp_server")


def test_longest_allowed_conversation_fits_into_a_request():
    messages = [{"role": "user", "content": "😀" * TEXT_LIMIT}] * 20
    assert len(json.dumps({"data": [messages]})) < MOST_BYTES
