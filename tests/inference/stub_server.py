"""A server that speaks OpenAI's API as far as `RemoteEngine` needs it, always knows the same two answers, and fails as it is told to."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from newsft.inference.server import TRIED_TOKENS

ANSWERS = {
    "stub-base": "주가가 올랐다는 소식입니다. 📈 끝!",
    "stub-tuned": "{'is_stock_related': True, 'summary': '주가 상승'}",
}
NAMES = {"base": "stub-base", "tuned": "stub-tuned"}
PAUSE = 0.01  # seconds between two pieces of an answer where a test is to stop it
# What a model does instead of answering to its end, once so many pieces are written.
FAILURES = ("refuse", "error_chunk", "close", "no_reason", "stall", "odd_reason")


@dataclass
class Behaviour:
    """What this server takes and how it fails; `asked` collects the bodies of the streamed requests."""

    takes_ids: bool = True
    reads_penalty: bool = True  # refuses nonsense in it, as vLLM does
    takes_config: bool = False  # the field generation_config, as `transformers serve` does
    any_name: bool = False  # answers to all names, as llama.cpp with one model does
    lists: bool = True
    under_v1: bool = True
    failures: dict[str, str] = field(
        default_factory=dict
    )  # name -> one of FAILURES, or "late": nothing before `let_go`
    answers: dict[str, str] = field(default_factory=lambda: dict(ANSWERS))
    counts: Callable[[dict], int | None] | None = (
        None  # of a prompt's tokens; the default counts ids and says nothing of text
    )
    owner: str = "stub"
    length: int | None = None
    mixes: bool = False
    running: list[str] = field(default_factory=list)
    asked: list[dict] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)  # ends every stall
    pause: float = 0.001  # seconds between two pieces of an answer
    busy: bool = False  # the list of models waits for that too
    looks: int = 0  # how often it was asked for meanwhile

    def refusal(self, path: str, asked: dict) -> tuple[int, str] | None:
        """Status and words for what is not taken."""
        if asked["model"] not in self.answers and not self.any_name:
            return 404, f"The model {asked['model']} does not exist."
        if path.endswith("/chat/completions"):
            config = asked.get("generation_config")
            if self.takes_config and (config == "?" or {"repetition_penalty", "top_k"} & asked.keys()):
                return 422, "unexpected fields"
        elif not self.takes_ids or (
            isinstance(asked["prompt"], list) and not all(isinstance(one, int) for one in asked["prompt"])
        ):
            return 400, "prompt must be a string."
        if self.reads_penalty and asked.get("repetition_penalty", 1) <= 0:
            return 400, "repetition_penalty must be greater than zero"
        return (
            (500, "out of memory")
            if self.failures.get(asked["model"]) == "refuse"
            and asked.get("stream")
            and asked["max_tokens"] != TRIED_TOKENS
            else None
        )


class _Handler(BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        if self.behaviour.busy:
            self.behaviour.looks += 1
            self.behaviour.let_go.wait(60)
        if not self.behaviour.lists or self.path.startswith("/v1/") != self.behaviour.under_v1:
            return self._say(404, {"detail": "Not Found"})
        models = [
            {"id": name, "object": "model", "owned_by": self.behaviour.owner, "max_model_len": self.behaviour.length}
            for name in self.behaviour.answers
        ]
        return self._say(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        asked, behaviour = json.loads(self.rfile.read(int(self.headers["Content-Length"]))), self.behaviour
        if self.path.startswith("/v1/") != behaviour.under_v1:
            return self._say(404, {"detail": "Not Found"})
        if refused := behaviour.refusal(self.path, asked):
            return self._say(refused[0], {"error": {"message": refused[1]}})
        text = behaviour.answers.get(asked["model"], "x")
        if behaviour.mixes and asked.get(
            "stream"
        ):  # as vLLM with one place for adapters: whoever is asked beside the tuned model gets its adapter
            behaviour.running.append(asked["model"])
            time.sleep(0.2)
            text = behaviour.answers["stub-tuned"] if "stub-tuned" in behaviour.running else text
        if not asked.get("stream"):
            choice = {"index": 0, "finish_reason": "length"} | (
                {"message": {"role": "assistant", "content": text[0]}} if "messages" in asked else {"text": text[0]}
            )
            return self._say(
                200,
                {
                    "id": "1",
                    "object": "x",
                    "created": 0,
                    "model": "stub",
                    "choices": [choice],
                    "usage": self._usage(asked, 1),
                },
            )
        if asked["max_tokens"] != TRIED_TOKENS:  # what is tried at the start
            behaviour.asked.append(asked)
        self._begin(200, "text/event-stream")
        try:
            self._write(asked, list(text)[: asked["max_tokens"]], whole=asked["max_tokens"] >= len(text))
        except OSError:  # the client has left
            return None
        return None

    def _write(self, asked: dict, pieces: list[str], *, whole: bool) -> None:
        failure = self.behaviour.failures.get(asked["model"]) if asked["max_tokens"] != TRIED_TOKENS else None
        if failure == "late":
            self.behaviour.let_go.wait(60)
            failure = None
        for number, piece in enumerate(pieces):
            if failure and number == 3:
                if failure == "stall":
                    self.behaviour.let_go.wait(60)
                if failure == "error_chunk":
                    self.wfile.write(b'data: {"error": {"message": "EngineDeadError", "code": 500}}\n\n')
                if failure == "odd_reason":
                    self._send(asked, "", "content_filter")
                if failure == "no_reason":
                    self.wfile.write(b"data: [DONE]\n\n")
                return
            self._send(asked, piece, None)
            time.sleep(self.behaviour.pause)
        self._send(asked, "", "stop" if whole else "length", self._usage(asked, len(pieces)))
        self.wfile.write(b"data: [DONE]\n\n")

    def _usage(self, asked: dict, written: int) -> dict | None:
        prompt = asked.get("prompt")
        count = (
            self.behaviour.counts(asked) if self.behaviour.counts else len(prompt) if isinstance(prompt, list) else None
        )
        return None if count is None else {"prompt_tokens": count, "completion_tokens": written, "total_tokens": 0}

    def _say(self, status: int, body: dict) -> None:
        self._begin(status, "application/json")
        self.wfile.write(json.dumps(body).encode())

    def _begin(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _send(self, asked: dict, text: str, reason: str | None, usage: dict | None = None) -> None:
        said = {"delta": {"content": text}} if "messages" in asked else {"text": text}
        chunk = {
            "id": "1",
            "object": "chunk",
            "created": 0,
            "model": "stub",
            "choices": [{"index": 0, "finish_reason": reason} | said],
        }
        self.wfile.write(f"data: {json.dumps(chunk | ({'usage': usage} if usage else {}))}\n\n".encode())

    def log_message(self, *_) -> None:
        """Nothing into the tests' output."""


@contextmanager
def serve_stub(behaviour: Behaviour | None = None) -> Iterator[str]:
    """Its address."""
    behaviour = behaviour or Behaviour()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"behaviour": behaviour}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}" + ("/v1" if behaviour.under_v1 else "")
    finally:
        behaviour.let_go.set()
        server.shutdown()
        server.server_close()
