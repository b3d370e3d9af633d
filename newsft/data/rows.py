"""Rows from the embedded file, a local file or folder, or the hub -> test and training split; what is wrong is said with row numbers."""

import shlex
from dataclasses import dataclass
from typing import Any, NoReturn

from newsft.data import conversations
from newsft.data.files import read_rows
from newsft.data.literal import read_dict
from newsft.data.messages import row_messages
from newsft.data.splits import Tell
from newsft.data.text import normalise
from newsft.errors import UserError, list_rows
from newsft.fingerprints import fingerprint_rows

COLUMNS = ("system_prompt", "user_prompt", "assistant")
MEASURED = COLUMNS[1:]  # what a set for measuring has to have: the system prompt is the adapter's
EXAMPLES = 8  # training rows whose answers show the form


@dataclass(frozen=True)
class Split:
    """The recipe's split: the first part of the rows is the test set, unshuffled, the rest the training set."""

    test: list[dict]
    train: list[dict]
    fingerprint: str

    @property
    def rows(self) -> list[dict]:
        """All rows in the data set's order."""
        return self.test + self.train

    @property
    def examples(self) -> list[str]:
        """Answers of a few training rows: the form that an answer is to have."""
        return [row_messages(row)[-1]["content"] for row in self.train[:EXAMPLES]]


def load_rows(source: str, *, measuring: bool = False, tell: Tell = lambda _: None) -> list[dict]:
    """The rows of a JSONL/JSON/CSV/Parquet file, of a folder of such files, or of a hub data set's `train` split.

    A file has the three columns, or a column `messages` (see `conversations`). `assistant` comes back as text or as the dict that the file holds; `tell` hears what was left out or changed. With `measuring`, the
    file may come without the column system_prompt, and the rows then come without it. Raises UserError for a source that is not there,
    a missing column, no rows, empty cells and cells that cannot be trained as text, naming the rows.
    """
    rows = read_rows(source, tell=tell)
    if not rows:
        message = f"{source} holds no rows; it needs at least 2, with the columns {', '.join(COLUMNS)}."
        raise UserError(message, key="no_rows", name=source)
    if any(conversations.COLUMN in row for row in rows) and not any(
        column in row for row in rows for column in MEASURED
    ):
        rows = conversations.read_conversations(source, rows, tell=tell)
    else:
        rows = _choose_columns(source, rows, measuring=measuring, tell=tell)
        for column in rows[0]:
            _check_column(source, rows, column)
    changed = [number for number, row in enumerate(rows) if _normalise_row(row)]
    if changed:
        tell(
            f"{len(changed)} row(s) were normalised as pasted news is: NFC, LF, no NUL, no lone surrogate (rows {list_rows(changed)})"
        )
    return rows


def _choose_columns(source: str, rows: list[dict], *, measuring: bool, tell: Tell) -> list[dict]:
    held = list(dict.fromkeys(name for row in rows for name in row))
    missing = [column for column in COLUMNS if column not in held]
    if missing == ["system_prompt"] and not measuring:
        raise UserError(
            f"{source} has no column system_prompt; it has {', '.join(held)}. Training needs it: add it, empty in every row where there is to be no system prompt. "
            f"To measure an adapter on all of these rows: python -m newsft.evaluation --data {shlex.quote(source)}",
            key="no_system_prompts",
            name=source,
            held=", ".join(held),
        )
    if missing and missing != ["system_prompt"]:
        raise UserError(
            f"{source} has no column {', '.join(missing)}; it has {', '.join(held)}. Rename its columns to {', '.join(COLUMNS)}, or write each row's conversation into one column {conversations.COLUMN}.",
            key="no_columns",
            name=source,
            missing=", ".join(missing),
            held=", ".join(held),
        )
    if others := [column for column in held if column and column not in COLUMNS]:
        tell(f"the column(s) {', '.join(others)} are left out")
    rows = [{column: row.get(column) for column in COLUMNS if column not in missing} for row in rows]
    if not missing and all(_is_blank(row["system_prompt"]) for row in rows):  # a data set that asks without one
        rows = [row | {"system_prompt": ""} for row in rows]
    return rows


def _is_blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _check_column(source: str, rows: list[dict], column: str) -> None:
    def refuse(key: str, message: str, numbers: list[int], held: str = "") -> NoReturn:
        """`message` begins behind the column's name; `held` is what the first of the rows has there."""
        found = {"name": source, "column": column, "count": len(numbers), "rows": numbers, "first": numbers[0]}
        told = message.format(rows=f"{len(numbers)} row(s), first {list_rows(numbers)}")
        shown = f" Row {numbers[0]} holds {held}." if held else ""
        raise UserError(f"{source}: {column} {told}{shown}", key=key, held=held, **found)

    blank = [number for number, row in enumerate(rows) if _is_blank(row[column])]
    if blank and not (column == "system_prompt" and len(blank) == len(rows)):
        refuse("empty_cells", "is empty in {rows}; fill or remove them.", blank)
    kinds = (str, dict) if column == "assistant" else str
    wrong = [number for number, row in enumerate(rows) if not isinstance(row[column], kinds)]
    if wrong:
        refuse("cells_no_text", "is not text in {rows}; write it as text.", wrong, _show(rows[wrong[0]][column]))
    objects = {number: row[column] for number, row in enumerate(rows) if isinstance(row[column], dict)}
    unsayable = [number for number, held in objects.items() if read_dict(str(held)) != held]
    if unsayable:
        pairs = rows[unsayable[0]][column].items()
        key, value = next((key, value) for key, value in pairs if read_dict(str({key: value})) != {key: value})
        message = "holds a value that is no Python literal in {rows}; nobody could read the answer. Write it as text or leave it out."
        refuse("cells_no_literal", message, unsayable, f"{key}: {_show(value)}")


def _show(value: Any) -> str:
    return f"{value!r:.80} ({type(value).__name__})"


def _normalise_row(row: dict) -> bool:
    """Give the row's texts the same characters as pasted news gets: an NFD row would train on other ids than are asked for. Says whether it changed."""
    before = dict(row)
    row.update({column: _normalise_value(value) for column, value in row.items()})
    return row != before


def _normalise_value(value: Any) -> Any:
    if isinstance(value, str):
        return normalise(value)[0]
    if isinstance(value, list):
        return [_normalise_value(item) for item in value]
    if isinstance(value, dict):
        return {_normalise_value(key): _normalise_value(item) for key, item in value.items()}
    return value


def split_rows(rows: list[dict], *, test_ratio: float) -> Split:
    """The first `int(rows * test_ratio)` rows are the test set, the others the training set; no shuffle."""
    size = int(len(rows) * test_ratio)
    if size < 1 or size >= len(rows):
        raise UserError(
            f"{len(rows)} row(s) split at {test_ratio} leave an empty half; give more rows or another --test-ratio.",
            key="empty_half",
            count=len(rows),
            ratio=test_ratio,
        )
    return Split(rows[:size], rows[size:], fingerprint_rows(rows))


def keep_for_measuring(rows: list[dict], *, system_prompt: str) -> Split:
    """Rows that came without a system prompt, all of them for the test, with the one that the adapter was trained with."""
    rows = [{"system_prompt": system_prompt} | row for row in rows]
    return Split(rows, [], fingerprint_rows(rows))
