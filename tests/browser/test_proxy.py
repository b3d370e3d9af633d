"""Behind a proxy at a sub-path, with the two files of docs/deploy.md as they stand there: the page, its answers and its downloads."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import press_until_download
from tests.chromium import PROXY_HOST
from tests.serve import free_port

ROOT, HOST = Path(__file__).parents[2], PROXY_HOST
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
SECONDS = 60_000
NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {server}
}}
"""


def documented(language: str, page: str) -> str:
    """The file in the document, for a page that listens elsewhere."""
    text = re.search(rf"^```{language}\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)[1]
    assert "127.0.0.1:7860" in text and "header" not in text
    return text.replace("127.0.0.1:7860", page.removeprefix("http://"))


def nginx_command(folder: Path, page: str, port: int) -> list[str]:
    server = re.sub(r"^ *ssl_.*\n", "", documented("nginx", page), flags=re.MULTILINE)
    config = folder / "nginx.conf"
    listen = server.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    config.write_text(NGINX.format(folder=folder, server=listen), encoding="utf-8")
    folder.chmod(0o777)  # its workers have no rights
    return ["nginx", "-p", str(folder), "-c", str(config), "-e", str(folder / "start.log")]


def caddy_command(folder: Path, page: str, port: int) -> list[str]:
    server = documented("caddy", page).replace(f"{HOST} {{", f"http://{HOST}:{port} {{\n    bind 127.0.0.1")
    config = folder / "Caddyfile"
    config.write_text(f"{{\n    admin off\n    grace_period 1s\n}}\n{server}", encoding="utf-8")
    return ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]


PLACES = os.pathsep.join([os.environ["PATH"], "/usr/sbin", str(Path(sys.executable).parent)])
COMMANDS = {"nginx": nginx_command, "caddy": caddy_command}


@contextmanager
def proxy(name: str, page: str, folder: Path) -> Iterator[int]:
    """The port of a running proxy in front of the page."""
    port = free_port()
    home = os.environ | {
        "PATH": PLACES,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with (folder / "log").open("wb") as log:
        command = COMMANDS[name](folder, page, port)
        process = subprocess.Popen([shutil.which(name, path=PLACES), *command[1:]], env=home, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        request = urllib.request.Request(f"http://127.0.0.1:{port}/news/", headers={"Host": f"{HOST}:{port}"})
        while True:
            try:
                urllib.request.urlopen(request, timeout=5).close()
                break
            except (urllib.error.URLError, ConnectionError):
                said = "".join(path.read_text(errors="replace") for path in folder.glob("*log"))
                assert process.poll() is None and time.monotonic() < deadline, said
                time.sleep(0.2)
        yield port
    finally:
        process.terminate()  # not killed at once: nginx's workers would stay
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:  # Caddy waits for streams that are open
            process.kill()
            process.wait()


@pytest.mark.parametrize("name", COMMANDS)
def test_page_answers_and_downloads_behind_the_documented_proxy(browser, address, name, tmp_path):
    if shutil.which(name, path=PLACES) is None:
        pytest.skip(f"{name} is not there (scripts/install-proxies brings it)")
    with proxy(name, address, tmp_path) as port:
        context, asked = browser.new_context(), []
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"http://{HOST}:{port}/news")  # the proxy adds the slash
        assert page.url == f"http://{HOST}:{port}/news/"
        page.fill("#news textarea", "가온미르전자가 공급 계약을 맺었다.")
        page.click("button#compare")
        for side in ("base", "tuned"):
            page.wait_for_selector(f'#{side} section[aria-busy="false"] .stats', timeout=SECONDS)
        page.get_by_role("tab", name="평가").click()
        expect(page.locator("#scores .chart")).to_be_visible(timeout=SECONDS)
        press_until_download(page, "#export-csv").save_as(tmp_path / "rows.csv")
        context.close()
    assert (tmp_path / "rows.csv").stat().st_size > 100_000
    outside = [url for url in asked if not url.startswith((f"http://{HOST}:{port}/news", "data:", "blob:"))]
    assert outside == []


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Host": HOST, "X-Forwarded-Proto": "https"}])
def test_addresses_of_the_page_are_relative_whatever_the_proxy_says(address, headers):
    with urllib.request.urlopen(urllib.request.Request(f"{address}/", headers=headers)) as answer:
        page = answer.read().decode()
    assert re.search(r'"root": ?"([^"]*)"', page)[1] == "."
    with urllib.request.urlopen(urllib.request.Request(f"{address}/config", headers=headers)) as answer:
        assert b'"root":"http' in answer.read()  # a program's, which has no page
