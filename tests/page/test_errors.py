"""Every error that has a key has a text in each language, which asks for no value that the error does not bring."""

import ast
from string import Formatter

import pytest

from newsft.page.texts import LANGUAGES, say
from newsft.paths import ASSETS


def find_keyed():
    """(key, names of the values) of each UserError in the code that has a key."""
    for path in sorted((ASSETS.parent / "newsft").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", None) == "UserError":
                given = {keyword.arg: keyword.value for keyword in call.keywords}
                key = given.get("key")
                for one in (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,):
                    if isinstance(one, ast.Constant) and one.value is not None:  # not one that is put together
                        yield one.value, frozenset(given) - {"key"}


KEYED = sorted(set(find_keyed()), key=str)


@pytest.mark.parametrize("language", LANGUAGES.values())
@pytest.mark.parametrize(("key", "values"), KEYED, ids=[key for key, _ in KEYED])
def test_keyed_error_has_a_text_and_the_values_that_it_asks_for(key, values, language):
    asked = {name for _, name, _, _ in Formatter().parse(say(f"error_{key}", language)) if name}
    assert asked <= values or None in values  # None: **values


def test_all_errors_were_found():
    assert len(KEYED) > 50
