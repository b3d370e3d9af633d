"""The Space: its front matter, the folder that it gets, and its page as it runs there: read-only code, no rights, no network."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml

from newsft.fingerprints import fingerprint_model
from newsft.recipe import RECIPES
from scripts import space

ROOT = Path(__file__).parents[1]
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}  # the hub takes no others
PINS = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().split())


# Of Hugging Face's documentation of November 2026 (docs/hub/spaces-zerogpu).
ZERO_PYTHON, ZERO_TORCH = ("3.12.12", "3.10.13"), ("2.8.0", "2.9.1", "2.10.0", "2.11.0")


@pytest.fixture(scope="module")
def folder():
    """The Space's folder, in a place that another user can reach."""
    parent = Path(tempfile.mkdtemp(prefix="newsft-space-"))
    parent.chmod(0o755)
    space.build(parent / "code")
    yield parent / "code"
    space.set_modes(parent, files=0o644, folders=0o755)
    shutil.rmtree(parent)


@pytest.fixture(scope="module")
def front_matter(folder):
    return yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])


def test_front_matter_is_what_a_space_takes(front_matter):
    assert (front_matter["sdk"], front_matter["sdk_version"]) == ("gradio", PINS["gradio"])
    assert (ROOT / front_matter["app_file"]).name == "app.py"
    assert {front_matter["colorFrom"], front_matter["colorTo"]} <= COLOURS
    assert len(front_matter["short_description"]) <= 60
    assert front_matter["license"] == "apache-2.0" and front_matter["suggested_hardware"] == "zero-a10g"
    assert (front_matter["models"], front_matter["datasets"]) == ([RECIPES["varco"].model], [RECIPES["varco"].data])


def test_folder_has_what_the_page_needs_in_sizes_that_the_hub_takes_and_nobody_may_write(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"app.py", "README.md", "requirements.txt"} <= {path.name for path in files}
    assert not (folder / "tests").exists()
    assert [path for path in files if path.stat().st_size > space.LARGEST_FILE] == []
    assert [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o222] == []
    targets = re.findall(r"\]\(([^)#:]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert targets and [target for target in targets if not (folder / target).exists()] == []


def test_versions_are_those_that_zerogpu_takes(front_matter, folder):
    pins = dict(line.split("==") for line in (folder / "requirements.txt").read_text(encoding="utf-8").split())
    assert front_matter["python_version"] in ZERO_PYTHON and pins["torch"] in ZERO_TORCH
    assert "gradio" not in pins  # `sdk_version` says it
    assert pins | {"torch": PINS["torch"], "gradio": PINS["gradio"]} == PINS


def test_folder_can_be_made_again(folder):
    before = space.describe_tree(folder)
    space.build(folder)
    assert [(name, size) for name, size, _ in space.describe_tree(folder)] == [(name, size) for name, size, _ in before]


def put_into_hub_cache(adapter: Path, cache: Path, name: str) -> None:
    """The adapter as huggingface_hub keeps it after a download."""
    repository, commit = cache / f"models--{name.replace('/', '--')}", "0" * 40
    shutil.copytree(adapter, repository / "snapshots" / commit, ignore=shutil.ignore_patterns("evaluation"))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)


def check_space(folder: Path, *flags: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "scripts.space", str(folder), "--check", *flags],
        cwd=ROOT,
        env=os.environ | {"HF_HUB_OFFLINE": "1"} | variables,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_page_runs_as_on_zerogpu_and_the_miniature_spends_no_gpu_time(folder):
    done = check_space(folder, "--zero")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["gpu_functions"] != [] and report["gpu_seconds"] == [] and report["device"] == "cpu"
    assert set(report["ended"].values()) <= {"end_of_turn", "limit"} and report["alarms"] == []
    assert report["network"] == ["lo"] or not space.isolation()
    assert report["capabilities"] == 0 or not space.drop_rights(folder)


def test_page_runs_as_on_a_space_with_an_adapter_by_its_hub_id(folder):
    cache = folder.parent / "hub"
    put_into_hub_cache(Path(RECIPES["mini"].adapter), cache, "someone/news")
    done = check_space(folder, HF_HUB_CACHE=str(cache), NEWSFT_ADAPTER="someone/news")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report["ended"].values()) <= {"end_of_turn", "limit"} and report["alarms"] == []
    assert report["adapter"] == fingerprint_model(Path(RECIPES["mini"].adapter), config="adapter_config.json")
    assert report["peak_memory_gb"] < space.SPACE_MEMORY
    if space.isolation():
        assert report["network"] == ["lo"]
    if space.drop_rights(folder):
        assert report["capabilities"] == 0


def test_page_that_does_not_start_is_said_with_its_log(folder):
    done = check_space(folder, NEWSFT_MODEL="someone/else")
    assert done.returncode != 0
    assert "did not start" in done.stderr and "someone/else is not in the hub's cache" in done.stderr


def read_dockerfile() -> list[tuple[str, str]]:
    """(instruction, arguments), continued lines joined, comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE).replace(
        "\\\n", " "
    )
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in text.splitlines() if line.strip()]


def test_dockerfile_copies_what_is_there_and_ends_as_a_user_without_rights():
    lines = read_dockerfile()
    assert lines[0] == ("FROM", "python:3.11-slim")
    assert {name for name, _ in lines} <= {
        "FROM",
        "ARG",
        "ENV",
        "WORKDIR",
        "COPY",
        "RUN",
        "USER",
        "EXPOSE",
        "HEALTHCHECK",
        "CMD",
    }
    copied = [source for name, given in lines if name == "COPY" for source in given.split()[:-1]]
    assert {"app.py", "newsft", "assets", "requirements.txt"} <= set(copied)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    names = [name for name, _ in lines]
    assert dict(lines)["USER"] not in ("root", "0") and max(
        i for i, name in enumerate(names) if name in ("RUN", "COPY")
    ) < names.index("USER")
    assert dict(lines)["EXPOSE"] == "7860" and "GRADIO_SERVER_PORT=7860" in dict(lines)["ENV"]
    for name in ("CMD", "HEALTHCHECK"):
        command = json.loads(dict(lines)[name][dict(lines)[name].index("[") :])
        assert command[0] == "python"
        if command[1] == "-c":
            compile(command[2], "healthcheck", "exec")
