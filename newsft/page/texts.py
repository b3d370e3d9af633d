"""The page's texts in Korean and English, from assets/texts.toml."""

import tomllib
from functools import cache
from typing import Any

from newsft.errors import UserError, list_rows
from newsft.paths import ASSETS

LANGUAGES = {"한국어": "ko", "English": "en"}
DEFAULT_LANGUAGE = "ko"


@cache
def _all() -> dict[str, dict[str, str]]:
    return tomllib.loads((ASSETS / "texts.toml").read_text(encoding="utf-8"))


def say(key: str, language: str, **values) -> str:
    """The text under `key` with its values filled in; KeyError for an unknown key."""
    text = _all()[language][key]
    return text.format(**values) if values else text


def say_all(prefix: str, language: str) -> dict[str, str]:
    """All texts whose keys begin with `prefix`, by the rest of their keys."""
    return {key.removeprefix(prefix): text for key, text in _all()[language].items() if key.startswith(prefix)}


@cache
def _lessons() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((ASSETS / "lessons.toml").read_text(encoding="utf-8"))


def lesson(table: str, language: str) -> dict[str, str]:
    """The break-it lab's texts under `table` (a fault's name, verdicts, checks or reasons), from assets/lessons.toml."""
    return _lessons()[language][table]


@cache
def _settings() -> dict[str, dict[str, dict[str, str]]]:
    return tomllib.loads((ASSETS / "settings.toml").read_text(encoding="utf-8"))


def setting(name: str, language: str) -> dict[str, str]:
    """What the page says of a setting of the recipe, from assets/settings.toml: `change` and, but in English, `what`."""
    return _settings()[language][name]


def say_error(error: UserError, language: str) -> str:
    """An error in the reader's language, or in its own words where the page has none."""
    key = f"error_{error.key}"
    if key not in _all()[language]:
        return str(error)
    return say(key, language, **{name: _say_value(value, language) for name, value in error.values.items()})


def _say_value(value: Any, language: str) -> Any:
    if isinstance(value, UserError):
        return say_error(value, language)
    return list_rows(value, more=say("rows_more", language)) if isinstance(value, list) else value
