"""The documents are true: every command in them can be parsed, every linked file is there."""

import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import app
import train
from newsft.evaluation.__main__ import parse_flags
from newsft.publish import merge

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]
DOCUMENTS = [*READMES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
PROGRAMS = {"app.py": app.parse_flags, "train.py": train.parse_flags, "newsft.evaluation": parse_flags, "newsft.publish.merge": merge.parse_flags}
ELSEWHERE = {"vllm", "docker", "transformers"}  # programs that are not installed with this project
COMMANDS = re.compile(rf"^({'|'.join(['python3?', '.venv/bin/python', '.venv/bin/pip', 'pip', 'make', 'torchrun', 'hf', *ELSEWHERE])}) ")
NUMBER = "N"  # stands for a number in `--limit N`


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def code_blocks(text: str) -> list[tuple[str, str]]:
    """(language, code) of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    """The words of every command in a document's code blocks and in its inline code."""
    text = read(path)
    lines = [line for language, code in code_blocks(text) if language in ("", "sh", "bash") for line in code.splitlines()]
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    parts = [part.strip() for line in lines for part in line.split(" && ")]
    return [shlex.split(part, comments=True) for part in parts if COMMANDS.match(f"{part} ")]


def parse_python(words: list[str], monkeypatch) -> None:
    """A call of Python: the program's own parser takes its flags; other modules have to be there."""
    name, rest = (words[1], words[2:]) if words[0] == "-m" else (words[0], words[1:])
    if name not in PROGRAMS:
        assert (ROOT / name).exists() if name.endswith(".py") else importlib.util.find_spec(name), name
        return
    monkeypatch.setattr(sys, "argv", [name, *("1" if word == NUMBER else word for word in rest)])
    if "--help" not in rest:
        PROGRAMS[name]()


@cache
def hub_help(*command: str) -> str:
    """What the hub's own program says of a command; it has to be one."""
    return subprocess.run([Path(sys.executable).with_name("hf"), *command, "--help"], capture_output=True, text=True, timeout=120, check=True).stdout


def check(words: list[str], monkeypatch) -> None:
    """Fail where a command could not be carried out as it stands."""
    program, *rest = words
    if program == "make":
        for target in (word for word in rest if "=" not in word):
            assert re.search(rf"^{target}:", read(ROOT / "Makefile"), re.MULTILINE), target
    elif program.endswith("pip"):
        pinned = {line.split("==")[0]: line for name in ("requirements.txt", "requirements-dev.txt") for line in read(ROOT / name).splitlines()}
        for given in (word for word in rest[1:] if not word.startswith("-")):
            assert (ROOT / given).exists() or pinned.get(given.split("==")[0]) == given, given
    elif program == "torchrun":
        assert rest[0] == "--nproc_per_node"
        parse_python(rest[2:], monkeypatch)
    elif program == "hf":
        flags = [word for word in rest if word.startswith("--")]
        told = hub_help(*rest[: 2 if rest[0] == "auth" else 1])
        assert [flag for flag in flags if flag not in told] == [], words
    elif "python" in program:
        parse_python(rest, monkeypatch)
    else:
        assert program in ELSEWHERE


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_linked_file_exists(path):
    targets = re.findall(r"\]\(([^)#:]+)\)", read(path))
    assert targets or path not in READMES
    assert [target for target in targets if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_can_be_carried_out(path, monkeypatch, capsys):
    found = commands(path)
    assert len(found) >= (20 if path in READMES else 1)
    for words in found:
        try:
            check(words, monkeypatch)
        except SystemExit:
            pytest.fail(f"{shlex.join(words)}: {capsys.readouterr().err.splitlines()[-1]}")


@pytest.mark.parametrize(
    "broken", ["python app.py --no-such-flag", "python -m newsft.nothing", "make nothing", "pip install nothing==1.0", "python nothing.py", "torchrun --nproc_per_node 2 train.py --steps 1"]
)
def test_command_that_could_not_be_carried_out_is_found(broken, monkeypatch):
    with pytest.raises((AssertionError, SystemExit, ModuleNotFoundError)):
        check(shlex.split(broken), monkeypatch)


def test_both_languages_give_the_same_commands():
    english, korean = ({shlex.join(words) for words in commands(path)} for path in READMES)
    assert english == korean


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_every_flag_that_is_named_alone_exists(path, capsys):
    text = re.sub(r"<!--.*?-->|^vllm .*$|^docker .*$|--nproc_per_node|--config_file|--num_processes|^hf .*$|`hf [^`]*`", "", read(path), flags=re.MULTILINE)  # other programs' flags
    helps = ""
    for parse in PROGRAMS.values():
        sys.argv, kept = ["program", "--help"], sys.argv
        with pytest.raises(SystemExit):
            parse()
        sys.argv = kept
        helps += capsys.readouterr().out
    flags = set(re.findall(r"(?<![\w!-])(--[a-z][a-z-]+)", text))
    assert flags
    assert [flag for flag in flags if flag not in helps] == []


@pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
def test_python_in_the_documents_compiles_and_its_imports_are_there(path):
    blocks = [code for language, code in code_blocks(read(path)) if language == "python"]
    assert blocks
    for code in blocks:
        compile(code, path.name, "exec")
        for module in re.findall(r"^(?:from|import) ([\w.]+)", code, re.MULTILINE):
            importlib.import_module(module)


def test_screenshots_are_small():
    shots = list((ROOT / "assets" / "screenshots").glob("*.png"))
    assert len(shots) >= 3
    assert [shot.name for shot in shots if shot.stat().st_size > 300_000] == []
