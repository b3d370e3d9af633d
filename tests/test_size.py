"""No module of `newsft/` has more than 300 lines and no function more than 50, at 120 columns."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COLUMNS, MOST_OF_MODULE, MOST_OF_FUNCTION = 120, 300, 50
TO_BE_SPLIT = {"newsft/mini/exercises.py", "newsft/mini/gold.py"}  # may still be longer
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("newsft/**/*.py"))


@cache
def formatted(module: str) -> str:
    """The module as ruff writes it at that width."""
    command = [sys.executable, "-m", "ruff", "format", "--line-length", str(COLUMNS), "--stdin-filename", module, "-"]
    with (ROOT / module).open(encoding="utf-8") as file:
        return subprocess.run(command, cwd=ROOT, stdin=file, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("module", [module for module in MODULES if module not in TO_BE_SPLIT])
def test_module_is_not_long(module):
    assert len(formatted(module).splitlines()) <= MOST_OF_MODULE


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_not_long(module):
    functions = [node for node in ast.walk(ast.parse(formatted(module))) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert {node.name for node in functions if node.end_lineno - node.lineno + 1 > MOST_OF_FUNCTION} == set()


def test_exceptions_are_modules():
    assert set(MODULES) >= TO_BE_SPLIT
