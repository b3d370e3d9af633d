"""What a reader is told of an adapter, and what several are called: plain data, without torch."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from newsft.errors import UserError


@dataclass(frozen=True)
class AdapterInfo:
    """One of the adapters that an engine answers with."""

    name: str  # by which it is chosen
    side: str  # of the requests that it answers; never used again for another adapter
    fingerprint: str | None = None  # as from `fingerprint_model`
    run: dict | None = None  # what training wrote beside it; None for one made elsewhere
    settings: dict[str, object] | None = None  # r, alpha and what else it was trained with, as far as that is known
    listed: bool = True  # whether every reader is offered it; one that is not has to be asked for by its name


def name_adapters(sources: Sequence[str]) -> list[str]:
    """A name for each folder or hub id: its last part, and of those that end alike as many parts as tell them apart.

    Raises UserError where one is given twice.
    """
    paths = [Path(source).resolve() if Path(source).exists() else Path(source) for source in sources]
    twice = next((source for source, count in Counter(map(str, paths)).items() if count > 1), None)
    if twice is not None:
        raise UserError(f"--adapter names {twice} twice; give each adapter once.")
    return [_shortest(path, paths) for path in paths]


def _shortest(path: Path, paths: Sequence[Path]) -> str:
    for count in range(1, len(path.parts) + 1):
        end = path.parts[-count:]
        if sum(other.parts[-count:] == end for other in paths) == 1:
            break
    return str(Path(*end))


def unknown_adapter(name: str, names: Sequence[str]) -> UserError:
    """The error for an adapter that is not there, with the names of those that are."""
    there = ", ".join(names) or "none"
    message = f"There is no adapter {name} here; choose one of: {there}."
    return UserError(message, key="unknown_adapter", name=name, names=there)
