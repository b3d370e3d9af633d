"""What is installed, under which licence, and that SECURITY.md tells of all of it."""

import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
REQUIREMENTS = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if line.strip()]
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
LISTED = dict(re.findall(r"^\| ([a-z-]+) \| ([^|]+?) \|", SECURITY.partition("| package | licence |")[2], re.MULTILINE))
SAME = {"apache": "apache-2.0", "apache 2.0": "apache-2.0", "apache 2.0 license": "apache-2.0"}


def stated_licence(name: str) -> str | None:
    """What the installed package says of itself, as an SPDX expression where it can be told."""
    found = metadata(name)
    said = (found.get("License-Expression") or found.get("License") or "").strip()
    return SAME.get(said.lower(), said) if said and "\n" not in said else None


def test_every_requirement_is_pinned():
    assert [line for line in REQUIREMENTS if not re.fullmatch(r"[A-Za-z0-9-]+==[0-9][0-9A-Za-z.]*", line)] == []
    with (ROOT / "pyproject.toml").open("rb") as file:
        assert "dependencies" not in tomllib.load(file)["project"]  # one list is enough to keep


@pytest.mark.parametrize("name", [line.split("==")[0] for line in REQUIREMENTS])
def test_licence_of_every_direct_dependency_is_listed(name):
    said = stated_licence(name)
    assert name in LISTED
    assert said is None or said.lower() in LISTED[name].lower(), (said, LISTED[name])


def test_nothing_is_listed_that_is_not_installed():
    assert set(LISTED) <= {line.split("==")[0] for line in REQUIREMENTS}
