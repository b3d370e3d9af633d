"""No module of `newsft/` has more than 300 lines and no function more than 50."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MOST_OF_MODULE, MOST_OF_FUNCTION = 300, 50
MODULES = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("newsft/**/*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_module_is_not_long(module):
    assert len((ROOT / module).read_text(encoding="utf-8").splitlines()) <= MOST_OF_MODULE


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_not_long(module):
    functions = [
        node
        for node in ast.walk(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert {node.name for node in functions if node.end_lineno - node.lineno + 1 > MOST_OF_FUNCTION} == set()
