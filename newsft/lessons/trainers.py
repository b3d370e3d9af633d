"""What other trainers make of a row: their behaviours, put together as assets/trainers.toml says.

What was observed, with which version, stands there; `behaviours` and `limits` repeat it on our own row, so that its labels can be shown beside ours.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import Encoded
from newsft.lessons.behaviours import BEHAVIOURS, Case
from newsft.lessons.limits import LIMITS
from newsft.paths import ASSETS


@dataclass(frozen=True)
class Trainer:
    """An entry of assets/trainers.toml: one way of preparing rows, by one version of one trainer."""

    key: str
    name: str
    version: str
    beside: str  # the versions of other libraries that it was run with
    source: str
    behaviours: tuple[str, ...]  # names of BEHAVIOURS, in the order in which they act
    over: str  # the name of what becomes of a row over the limit, of LIMITS
    limit: int | None  # the default, in tokens; None where there is none
    space: str  # white space around an answer: trimmed, kept, given, or unknown
    pasted: str  # what a control token that somebody pasted becomes: control, text or unknown
    refuses: bool  # an error comes in the place of rows
    texts: dict[str, dict[str, str]]  # per language: variant, what, long, mend


@cache
def load_trainers() -> dict[str, Trainer]:
    """key -> the entries of assets/trainers.toml, in their order."""
    entries = tomllib.loads((ASSETS / "trainers.toml").read_text(encoding="utf-8"))["trainer"]
    return {entry["key"]: _read_trainer(entry) for entry in entries}


def prepare_row(
    trainer: Trainer, chat: ChatFormat, messages: Sequence[dict], *, today: date, limit: int | None = None
) -> Encoded | None:
    """The row that this trainer would train on; None where it refuses or leaves it out. `limit` takes the place of the default one."""
    if trainer.refuses:
        return None
    case = Case(chat, messages, today)
    row = case.chat.encode_pieces(case.chat.build_pieces(messages))
    for name in trainer.behaviours:
        row = BEHAVIOURS[name](row, case)
    most = trainer.limit if limit is None else limit
    return row if most is None or len(row) <= most else LIMITS[trainer.over](row, case, most)


def _read_trainer(entry: dict) -> Trainer:
    texts = {language: entry[language] for language in ("ko", "en")}
    rest = {name: entry[name] for name in ("key", "name", "version", "beside", "source", "over", "space", "pasted")}
    return Trainer(
        **rest,
        behaviours=tuple(entry["behaviours"]),
        limit=entry.get("limit"),
        refuses=entry.get("refuses", False),
        texts=texts,
    )
