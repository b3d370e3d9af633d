"""A server that speaks the chat endpoint of OpenAI's API as far as `RemoteEngine` needs it, and always knows the same two answers."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWERS = {"stub-base": "주가가 올랐다는 소식입니다. 📈 끝!", "stub-tuned": "{'is_stock_related': True, 'summary': '주가 상승'}"}
NAMES = {"base": "stub-base", "tuned": "stub-tuned"}
PAUSE = 0.01  # seconds between two pieces of an answer, so that a test can stop it


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._begin("application/json")
        self.wfile.write(json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in ANSWERS]}).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._begin("text/event-stream")
        pieces, most = list(ANSWERS[asked["model"]]), asked["max_tokens"]
        try:
            for piece in pieces[:most]:
                self._send({"content": piece}, None)
                time.sleep(PAUSE)
            self._send({}, "length" if most < len(pieces) else "stop")
        except OSError:  # the client has left
            return

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _send(self, delta: dict, reason: str | None) -> None:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 0, "model": "stub", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def log_message(self, *_) -> None:
        """Nothing into the tests' output."""


@contextmanager
def serve_stub() -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
