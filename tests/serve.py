"""Start the page, for tests that talk to it over HTTP or in a browser."""

import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from newsft.page.page import build_page, launch_settings
from newsft.page.sessions import QUEUE_LENGTH
from newsft.recipe import RECIPES
from tests import programs


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serve(*flags: str, seconds: float = 120, start: Callable = programs.start) -> Iterator[str]:
    """The address of a running `python app.py`; it is ended afterwards. What measures the page has it begun by `programs.start_new`, as a user would."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - no pipe, which would stop the page once it is full
    process = start("app.py", "--port", port, *flags, output=log, errors=log)
    try:
        deadline = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(url, timeout=2).close()
                break
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                if process.poll() is not None or time.monotonic() > deadline:
                    process.kill()
                    log.seek(0)
                    raise RuntimeError(f"the page did not start:\n{log.read()}") from None
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


@contextmanager
def serve_here(engine, split) -> Iterator[str]:
    """The address of a page in this process, for an engine that the test has made or broken."""
    page = build_page(
        engine,
        system_prompt=split.test[0]["system_prompt"],
        names=("base", "adapter"),
        split=split,
        recipe=RECIPES["mini"],
    )
    _, url, _ = page.queue(api_open=False, max_size=QUEUE_LENGTH).launch(
        server_port=free_port(), prevent_thread_lock=True, quiet=True, **launch_settings()
    )
    try:
        yield url.rstrip("/")
    finally:
        page.close(verbose=False)
