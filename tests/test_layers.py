"""The rooms of `newsft/` import each other as the table allows, nowhere in a circle, and gradio is imported by the page alone."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GROUND = {"errors", "paths", "recipe", "fingerprints", "compat"}  # what every room may import
ROOMS = {
    "data": set(),
    "encoding": set(),
    "models": {"encoding"},
    "training": {"models", "encoding", "data"},
    "inference": {"models", "encoding", "data"},
    "evaluation": {"inference", "models", "encoding", "data"},
    "lessons": {"training", "models", "encoding", "data"},
    "runs": {"training", "encoding", "data"},
    "publish": {"evaluation", "models", "data"},
    "page": {"runs", "lessons", "evaluation", "inference", "models", "encoding", "data"},
    "mini": {"evaluation", "inference", "training", "models", "encoding", "data"},
}
SPOILT = {
    f"newsft.lessons.{name}" for name in ("faults", "trainers", "behaviours", "limits")
}  # functions that make wrong rows, on purpose
# As app.py and train.py stand over the rooms: an evaluation's table goes into the adapter's card, and the page's views into a folder.
COMMANDS = {
    "newsft.evaluation.__main__": {"publish"},
    "newsft.publish.static": {"page", "lessons", "inference"},
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.glob("newsft/**/*.py"))
}


def imports_of(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it: dotted names, those of this project whole."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports by dots"
            named = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in MODULES else node.module for name in named}
    return found


def room_of(module: str) -> str:
    """The room, or the ground module, that a dotted name lies in; empty for the package itself."""
    return [*module.split("."), ""][1]


@pytest.mark.parametrize("module", MODULES)
def test_imports_are_those_that_the_table_allows(module):
    room, imported = room_of(module), {name for name in imports_of(MODULES[module]) if name.startswith("newsft.")}
    allowed = GROUND if room in {"", *GROUND} else GROUND | {room} | ROOMS[room] | COMMANDS.get(module, set())
    assert {name for name in imported if room_of(name) not in allowed} == set()
    assert room == "page" or not {name for name in imports_of(MODULES[module]) if name.split(".")[0] == "gradio"}


def test_wrong_rows_are_made_for_the_lesson_alone():
    users = {module for module, path in MODULES.items() if SPOILT & imports_of(path)} - COMMANDS.keys()
    assert {room_of(module) for module in users} == {"lessons", "page"}
    assert {module for module in users if room_of(module) == "page"} <= {
        f"newsft.page.{name}" for name in ("tabs.lab", "tabs.runs", "tabs.trainers", "html.lab", "html.trainers")
    }


def test_no_import_goes_in_a_circle():
    graph = {module: imports_of(path) & MODULES.keys() - {module} for module, path in MODULES.items()}
    assert set(TopologicalSorter(graph).static_order()) >= set(MODULES)


def test_html_is_made_without_torch_and_gradio():
    views = [name for name in MODULES if name.startswith("newsft.page.html")]
    code = f"import sys, {', '.join(views)}; print(sorted({{'torch', 'gradio'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert len(views) > 5 and done.stdout.strip() == "[]", done.stdout + done.stderr
