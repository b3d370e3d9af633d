"""Which build of torch `make demo` takes, by what the machine has and what answers."""

import os
import subprocess
import sys
import threading
import time
import zipfile
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts import install_torch

ROOT = Path(__file__).parents[1]


@pytest.fixture
def calls(monkeypatch):
    """What pip would have been given."""
    made: list[tuple[str, ...]] = []
    monkeypatch.setattr(install_torch, "installed", lambda pin: False)
    monkeypatch.setattr(install_torch, "has_nvidia", lambda: False)
    monkeypatch.setattr(install_torch.platform, "system", lambda: "Linux")
    monkeypatch.setattr(install_torch, "install", lambda pin, *flags: made.append(flags) or True)
    return made


@pytest.fixture
def index():
    """An index that lists torch, after so many seconds."""

    class Handler(BaseHTTPRequestHandler):
        wait = 0.0

        def do_GET(self) -> None:
            time.sleep(self.wait)
            self.send_response(200 if self.path == "/torch/" else 404)
            self.end_headers()

        def log_message(self, *_) -> None:
            """Nothing into the tests' output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", Handler
    server.shutdown()
    server.server_close()


def test_without_a_driver_torch_comes_from_the_cpu_index_that_answers(calls, index, monkeypatch, capsys):
    monkeypatch.setattr(install_torch, "CPU_INDEX", index[0])
    assert install_torch.main() == 0
    assert calls == [("--extra-index-url", index[0])] and "0.2 GB" in capsys.readouterr().out


def test_with_a_driver_it_is_cudas(calls, index, monkeypatch, capsys):
    monkeypatch.setattr(install_torch, "CPU_INDEX", index[0])
    monkeypatch.setattr(install_torch, "has_nvidia", lambda: True)
    assert install_torch.main() == 0
    assert calls == [()] and "5.5 GB" in capsys.readouterr().out


def test_closed_index_falls_back_softly_and_in_time(calls, index, monkeypatch, capsys):
    monkeypatch.setattr(install_torch, "ANSWER_SECONDS", 0.2)
    index[1].wait = 1.0
    for closed in (index[0], "http://127.0.0.1:9", f"{index[0]}/elsewhere", "no address"):
        calls.clear()
        monkeypatch.setattr(install_torch, "CPU_INDEX", closed)
        assert install_torch.main() == 0
        assert calls == [()] and "does not answer" in capsys.readouterr().out


def test_index_that_answers_and_does_not_deliver_falls_back(calls, index, monkeypatch):
    monkeypatch.setattr(install_torch, "CPU_INDEX", index[0])
    monkeypatch.setattr(install_torch, "install", lambda pin, *flags: calls.append(flags) or not flags)
    assert install_torch.main() == 0 and calls == [("--extra-index-url", index[0]), ()]


@pytest.fixture
def indexes(tmp_path):
    """Two indexes as folders: one whose torch is CUDA's, as PyPI's for Linux is, and one of CPU builds."""
    made = []
    for name, version in (("pypi", "99.1"), ("cpu", "99.1+cpu")):
        folder = tmp_path / name / "torch"
        folder.mkdir(parents=True)
        info = f"torch-{version}.dist-info"
        with zipfile.ZipFile(folder / f"torch-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
        made.append(tmp_path / name)
    return made


@pytest.mark.parametrize("driver", [False, True])
def test_pip_itself_takes_the_build_that_was_chosen(indexes, tmp_path, driver):
    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    pypi, cpu = (f"http://127.0.0.1:{served.server_port}/{folder.name}" for folder in indexes)
    (tmp_path / "requirements.txt").write_text("torch==99.1\n")
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    settings |= {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": pypi, "PIP_TARGET": str(tmp_path / "installed")}
    script = (
        "import sys; from scripts import install_torch as it; it.platform.system = lambda: 'Linux'; "
        f"it.has_nvidia = lambda: {driver}; sys.exit(it.main(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "requirements.txt")],
        check=True,
        cwd=ROOT,
        env=settings | {"TORCH_INDEX": cpu},
    )
    served.shutdown()
    served.server_close()
    found = [path.name for path in (tmp_path / "installed").iterdir()]
    assert found == [f"torch-99.1{'' if driver else '+cpu'}.dist-info"]


def test_environment_that_has_it_is_left_alone(monkeypatch):
    monkeypatch.setattr(install_torch, "install", lambda *_: pytest.fail("installed again"))
    assert install_torch.main() == 0  # this one has it


def test_make_and_the_space_install_torch_that_way_first():
    recipes = (ROOT / "Makefile").read_text(encoding="utf-8").split("\n\n")
    for name in ("$(VENV)/.demo:", "space:"):
        lines = next(recipe for recipe in recipes if f"\n{name}" in f"\n{recipe}").split("\n")
        asked = [number for number, line in enumerate(lines) if "scripts.install_torch" in line]
        assert asked and asked[0] < next(
            number for number, line in enumerate(lines) if "requirements.txt" in line and "pip" in line
        )
