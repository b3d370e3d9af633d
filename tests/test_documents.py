"""The documents are true: commands can be carried out, links and files are there, figures are those of their sources, tables those of the code."""

import argparse
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

import app
import train
from newsft.evaluation import growth
from newsft.evaluation.__main__ import parse_flags
from newsft.publish import gguf, merge, static
from newsft.recipe import RECIPES
from scripts import figures
from tests import test_layers

ROOT = Path(__file__).parents[1]
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]
LOG = ROOT / "benchmarks" / "LOG.md"  # history: files and flags have the names of their day
DOCUMENTS = figures.DOCUMENTS
TWINS = [READMES, [ROOT / "docs" / "classroom.md", ROOT / "docs" / "classroom.ko.md"]]
MOST_WORDS = 900  # of a README
PROGRAMS = {
    "app.py": app.parse_flags,
    "train.py": train.parse_flags,
    "newsft.evaluation": parse_flags,
    "newsft.evaluation.growth": growth.parse_flags,
    "newsft.publish.merge": merge.parse_flags,
    "newsft.publish.gguf": gguf.parse_flags,
    "newsft.publish.static": static.parse_flags,
}
FLAGS_OF = {
    "app.py": "docs/page.md",
    "train.py": "docs/training.md",
    "newsft.evaluation": "docs/evaluation.md",
}  # the document that names every flag of a program
ELSEWHERE = {"vllm", "docker", "transformers"}  # programs that are not installed with this project
COMMANDS = re.compile(
    rf"^({'|'.join(['python3?', '.venv/bin/python', '.venv/bin/pip', '!?pip', 'make', 'torchrun', 'accelerate', 'hf', *ELSEWHERE])}) "
)
NUMBER = "N"  # stands for a number in `--limit N`
# Flags of other programs, and commands of theirs.
FOREIGN = re.compile(
    r"<!--.*?-->|^vllm .*$|^docker .*$|`docker [^`]*`|--nproc_per_node|--config_file|--num_processes|^hf .*$|`hf [^`]*`|--dtype|--max-loras|--max-lora-rank|--enable-prefix-caching|--mask-prompt|--max-seq-length|--train\.max_seq_length|`python -m benchmarks[^`]*`|`tensorboard [^`]*`|`trackio [^`]*`|`benchmarks/gpu.sh [^`]*`",
    re.MULTILINE,
)
FILES = re.compile(r"`((?:newsft|tests|assets|benchmarks|scripts|docs)/[\w./-]*|[\w-]+\.py)`")


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)


def code_blocks(text: str) -> list[tuple[str, str]]:
    """(language, code) of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[list[str]]:
    """The words of every command in a document's code blocks and in its inline code."""
    text = read(path)
    lines = [
        line for language, code in code_blocks(text) if language in ("", "sh", "bash") for line in code.splitlines()
    ]
    lines += re.findall(r"`([^`\n]+)`", without_blocks(text))
    parts = [part.strip() for line in lines for part in line.split(" && ")]
    return [shlex.split(part.removeprefix("!"), comments=True) for part in parts if COMMANDS.match(f"{part} ")]


def parse_python(words: list[str], monkeypatch) -> None:
    """A call of Python: the program's own parser takes its flags; of other modules the source has to know them."""
    name, rest = (words[1], words[2:]) if words[0] == "-m" else (words[0], words[1:])
    if name not in PROGRAMS:
        spec = None if name.endswith(".py") else importlib.util.find_spec(name)
        assert (ROOT / name).exists() if name.endswith(".py") else spec, name
        if spec and spec.origin and Path(spec.origin).is_relative_to(ROOT / name.split(".")[0]):
            assert [
                flag for flag in rest if flag.startswith("--") and f'"{flag}"' not in read(Path(spec.origin))
            ] == [], words
        return
    monkeypatch.setattr(sys, "argv", [name, *("1" if word == NUMBER else word for word in rest)])
    if "--help" not in rest:
        PROGRAMS[name]()


@cache
def hub_help(*command: str) -> str:
    """What the hub's own program says of a command; it has to be one."""
    return subprocess.run(
        [Path(sys.executable).with_name("hf"), *command, "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout


def check(words: list[str], monkeypatch) -> None:
    """Fail where a command could not be carried out as it stands."""
    program, *rest = words
    if program == "make":
        for target in (word for word in rest if "=" not in word):
            assert re.search(rf"^{target}:", read(ROOT / "Makefile"), re.MULTILINE), target
    elif program.endswith("pip"):
        pinned = {
            line.split("==")[0]: line
            for name in ("requirements.txt", "requirements-dev.txt")
            for line in read(ROOT / name).splitlines()
        }
        for given in (word for word in rest[1:] if not word.startswith("-")):
            assert (ROOT / given).exists() or pinned.get(given.split("==")[0]) == given, given
    elif program == "torchrun":
        assert rest[0] == "--nproc_per_node"
        parse_python(rest[2:], monkeypatch)
    elif program == "accelerate":
        if not rest:
            return  # the package
        assert [rest[0], rest[1], rest[3]] == ["launch", "--config_file", "--num_processes"]
        assert (ROOT / rest[2]).exists(), rest[2]
        parse_python(rest[5:], monkeypatch)
    elif program == "hf":
        flags = [word for word in rest if word.startswith("--")]
        told = hub_help(*rest[: 2 if rest[0] in ("auth", "repos") else 1])
        assert [flag for flag in flags if flag not in told] == [], words
    elif "python" in program:
        parse_python(rest, monkeypatch)
    else:
        assert program in ELSEWHERE


def anchors(path: Path) -> set[str]:
    """The anchors that a forge gives to a document's headings."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(read(path)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """The links of a document to files or headings that are not there."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(read(path))):
        name, _, anchor = unquote(target).partition("#")
        if ":" in name:
            continue  # another host
        file = path.parent / name if name else path
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(target)
    return broken


@every_document
def test_every_link_leads_to_a_file_and_a_heading(path):
    assert broken_links(path) == []


def test_link_to_nothing_is_found(tmp_path):
    (tmp_path / "other.md").write_text("# A heading, here\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[1](other.md#a-heading-here) [2](other.md#no) [3](no.md) [4](https://example.org/x) [5](#no)", encoding="utf-8"
    )
    assert broken_links(page) == ["other.md#no", "no.md", "#no"]


def test_every_document_can_be_reached_from_the_readmes():
    for readme in READMES:
        reached, waiting = set(), [readme]
        while waiting:
            path = waiting.pop()
            reached.add(path)
            targets = [
                (path.parent / target.partition("#")[0]).resolve()
                for target in re.findall(r"\]\(([^)\s:]+\.md(?:#[^)]*)?)\)", read(path))
            ]
            waiting += [target for target in targets if target not in reached]
        assert set(DOCUMENTS) <= reached


@every_document
def test_every_file_that_is_named_exists(path):
    named = {name for name in FILES.findall(read(path)) if path != LOG}
    assert {name for name in named if not (ROOT / name).exists() and not list(ROOT.glob(f"newsft/**/{name}"))} == set()


@every_document
def test_every_command_can_be_carried_out(path, monkeypatch, capsys):
    for words in commands(path):
        try:
            check(words, monkeypatch)
        except SystemExit:
            pytest.fail(f"{shlex.join(words)}: {capsys.readouterr().err.splitlines()[-1]}")


def test_the_documents_have_commands():
    assert sum(len(commands(path)) for path in DOCUMENTS) > 60


@pytest.mark.parametrize(
    "broken",
    [
        "python app.py --no-such-flag",
        "python -m newsft.nothing",
        "python -m benchmarks.soak --hours 1",
        "make nothing",
        "pip install nothing==1.0",
        "python nothing.py",
        "torchrun --nproc_per_node 2 train.py --steps 1",
        "accelerate launch --config_file assets/accelerate/no.yaml --num_processes 2 train.py",
    ],
)
def test_command_that_could_not_be_carried_out_is_found(broken, monkeypatch):
    with pytest.raises((AssertionError, SystemExit, ModuleNotFoundError)):
        check(shlex.split(broken), monkeypatch)


@pytest.mark.parametrize("twins", TWINS, ids=lambda twins: twins[0].stem)
def test_both_languages_say_the_same_in_commands_figures_and_tables(twins):
    def told(path: Path) -> tuple:
        names = sorted(name.removesuffix("-ko") for name, _ in figures.MARKER.findall(read(path)))
        return (
            {shlex.join(words) for words in commands(path)},
            names,
            len(re.findall(r"^\|", read(path), re.MULTILINE)),
            len(re.findall(r"^#", read(path), re.MULTILINE)),
        )

    english, korean = map(told, twins)
    assert english[0] == korean[0]
    assert english[1] == korean[1]
    assert english[2:] == korean[2:]


@cache
def flags_of(program: str) -> frozenset[str]:
    """The flags that a program takes."""
    found: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", lambda parser: found.extend(parser._option_string_actions))
        PROGRAMS[program]()
    return frozenset(flag for flag in found if flag.startswith("--")) - {"--help"}


@every_document
def test_every_flag_that_is_named_alone_exists(path):
    if path == LOG:
        pytest.skip("history")
    text = FOREIGN.sub("", read(path))
    known = frozenset().union(*map(flags_of, PROGRAMS)) | {"--help"}
    if path.parent.name == "benchmarks":
        known |= set(re.findall(r'"(--[a-z-]+)"', "".join(map(read, path.parent.glob("*.py")))))
    assert set(re.findall(r"(?<![\w!-])(--[a-z][a-z-]+)", text)) - known == set()


@pytest.mark.parametrize("program", FLAGS_OF)
def test_every_flag_of_a_program_is_in_its_document(program):
    text = read(ROOT / FLAGS_OF[program])
    assert {flag for flag in flags_of(program) if not re.search(rf"`{flag}[` ]", text)} == set()


@every_document
def test_python_in_the_documents_compiles_and_its_imports_are_there(path):
    for code in (code for language, code in code_blocks(read(path)) if language == "python"):
        compile(code, path.name, "exec")
        for module in re.findall(r"^(?:from|import) ([\w.]+)", code, re.MULTILINE):
            importlib.import_module(module)


@every_document
def test_every_figure_is_what_its_source_says(path):
    text = read(path)
    assert figures.fill(text) == text, "run: python -m scripts.figures"
    assert "<!--" not in re.sub(
        r"<!--[a-z][\w.-]*-->(.*?)<!---->", r"\1", text, flags=re.DOTALL
    )  # a marker that nothing ends


@every_document
def test_no_figure_within_a_text_begins_its_line(path):
    assert (
        re.findall(r"^<!--[a-z][\w.-]*-->.+$", read(path), re.MULTILINE) == []
    )  # such a line is HTML to Markdown, and its backticks and links stay as they are


def test_wrong_figure_is_found_and_filled():
    assert figures.fill("<!--steps-->7<!----> steps") == f"<!--steps-->{figures.figures()['steps']}<!----> steps"
    with pytest.raises(KeyError):
        figures.fill("<!--no-such-figure-->7<!---->")


def test_figures_are_those_of_the_lesson():
    assert [figures.figures()[name] for name in ("rows", "test-rows", "train-rows", "steps")] == [
        "991",
        "495",
        "496",
        "372",
    ]


def test_rooms_in_the_documents_are_those_that_the_layers_test_keeps():
    text = read(ROOT / "docs" / "architecture.md")
    rooms = {
        name: set(allowed.replace("–", "").split(", ")) - {""}
        for name, allowed in re.findall(r"^\| (\w+) \| ([\w, –]+) \| .+ \|$", text, re.MULTILINE)
        if name in test_layers.ROOMS
    }
    mini = re.search(r"`mini/` is how the miniature is made; it may import ([\w, ]+), and nothing", text)[1]
    assert rooms | {"mini": set(re.split(", | and ", mini))} == test_layers.ROOMS
    ground = re.search(r"which imports none: (.*?)\. Beside", text)[1]
    assert set(re.findall(r"`(\w+)\.py`", ground)) == test_layers.GROUND
    above = text.partition("stand over their rooms")[2].partition("\n")[0]
    for module, allowed in test_layers.COMMANDS.items():
        said = above.partition(f"`{module.replace('.', '/')}.py`")[2].partition(", as")[0]
        assert set(re.findall(r"\w+", said)) - {"may", "import", "and"} == allowed


@pytest.mark.parametrize("path", READMES, ids=name_of)
def test_readme_is_short(path):
    text = re.sub(r"\A---\n.*?\n---\n|<!--.*?-->", "", read(path), flags=re.DOTALL)
    assert len(text.split()) <= MOST_WORDS


def test_screenshots_are_small_and_shown():
    shots = list((ROOT / "assets" / "screenshots").glob("*.png"))
    assert len(shots) >= 3
    assert [shot.name for shot in shots if shot.stat().st_size > 300_000] == []
    shown = "".join(map(read, DOCUMENTS))
    assert [shot.name for shot in shots if shot.name not in shown] == []


def test_command_for_vllm_keeps_the_two_sides_apart():
    """Its default of one adapter a batch gave the base's requests the adapter, its default type other texts on a CPU."""
    (line,) = re.findall(r"^vllm serve .*$", read(ROOT / "docs" / "gpu.md"), re.MULTILINE)
    words = shlex.split(line)
    given = {flag: words[words.index(flag) + 1] for flag in ("--dtype", "--max-loras", "--max-lora-rank")}
    assert given["--max-loras"] == "2" and int(given["--max-lora-rank"]) >= max(
        recipe.lora_r for recipe in RECIPES.values()
    )
    assert given["--dtype"] == "auto" and "`--dtype float32`" in read(ROOT / "docs" / "gpu.md")
