"""Rows from the embedded file, a local file or folder, or the hub -> test and training split; what is wrong is said with row numbers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from newsft.data.messages import row_messages
from newsft.data.text import normalise
from newsft.errors import UserError, list_rows
from newsft.fingerprints import fingerprint_rows

COLUMNS = ("system_prompt", "user_prompt", "assistant")
LOADERS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}
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


def is_local(source: str) -> bool:
    """Whether a source names a file or a folder, rather than a data set on the hub."""
    return Path(source).suffix.lower() in LOADERS or Path(source).exists()


def load_rows(source: str, *, tell: Callable[[str], None] = lambda _: None) -> list[dict]:
    """The rows of a JSONL/JSON/CSV/Parquet file, of a folder of such files, or of a hub data set's `train` split.

    `assistant` comes back as text or as the dict that the file holds; `tell` hears what was left out or changed. Raises
    UserError for a source that is not there, a missing column, no rows, and empty cells, naming the rows.
    """
    rows = _load_local(Path(source)) if is_local(source) else _load_hub(source)
    if not rows:
        raise UserError(f"{source} holds no rows; it needs at least 2, with the columns {', '.join(COLUMNS)}.")
    missing = [column for column in COLUMNS if column not in rows[0]]
    if missing:
        raise UserError(f"{source} has no column {', '.join(missing)}; it has {', '.join(rows[0])}. Rename its columns to {', '.join(COLUMNS)}.")
    if others := [column for column in rows[0] if column not in COLUMNS]:
        tell(f"the column(s) {', '.join(others)} are left out")
    rows = [{column: row.get(column) for column in COLUMNS} for row in rows]
    for column in COLUMNS:
        empty = [number for number, row in enumerate(rows) if row[column] is None or not str(row[column]).strip()]
        if empty:
            raise UserError(f"{source}: {column} is empty in {len(empty)} row(s), first {list_rows(empty)}; fill or remove them.")
        kinds = (str, dict) if column == "assistant" else str
        wrong = [number for number, row in enumerate(rows) if not isinstance(row[column], kinds)]
        if wrong:
            raise UserError(f"{source}: {column} is not text in {len(wrong)} row(s), first {list_rows(wrong)}; write it as text.")
    changed = [number for number, row in enumerate(rows) if _normalise_row(row)]
    if changed:
        tell(f"{len(changed)} row(s) were normalised as pasted news is: NFC, no NUL, no lone surrogate (rows {list_rows(changed)})")
    return rows


def _normalise_row(row: dict) -> bool:
    """Give the row's texts the same characters as pasted news gets: an NFD row would train on other ids than are asked for. Says whether it changed."""
    before = dict(row)
    for column in COLUMNS:
        if isinstance(row[column], str):
            row[column], _ = normalise(row[column])
    return row != before


def _load_local(path: Path) -> list[dict]:
    if not path.exists():
        raise UserError(f"There is no data file {path}; give an existing JSONL, CSV or Parquet file, or a hub id.")
    files = sorted(file for file in (path.iterdir() if path.is_dir() else [path]) if file.suffix.lower() in LOADERS)
    if not files:
        what = f"The folder {path} holds no" if path.is_dir() else f"{path} is not a"
        raise UserError(f"{what} JSONL, CSV or Parquet file; file names must end in {', '.join(LOADERS)}.")
    loader = LOADERS[files[0].suffix.lower()]
    if loader == "json":
        return [row for file in files for row in _load_json(file)]
    from datasets import load_dataset  # takes a second to import; the embedded rows do not need it
    from datasets.exceptions import DatasetsError

    try:
        return load_dataset(loader, data_files=[str(file) for file in files], split="train").to_list()
    except (OSError, ValueError, DatasetsError) as error:
        raise UserError(f"{path} could not be read as {loader}: {error.__cause__ or error}. Save it as UTF-8 with one header line.") from error


def _load_json(path: Path) -> list[dict]:
    # Not through `datasets`: Arrow turns differing dicts into one schema and so changes the answers' keys.
    rows = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8.") from error
    if path.suffix.lower() == ".json":
        try:
            rows = json.loads(text)
        except ValueError as error:
            raise UserError(f"{path} is not valid JSON: {error}.") from error
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    rows.append(json.loads(line))
                except ValueError as error:
                    raise UserError(f"{path}, line {number} is not valid JSON: {error}. Each line must hold one row.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} must hold one JSON object a row.")
    return rows


def _load_hub(source: str) -> list[dict]:
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    try:
        return load_dataset(source, split="train").to_list()
    except (OSError, ValueError, DatasetsError) as error:  # offline, unknown, gated
        raise UserError(
            f"The data set {source} could not be loaded from the hub ({type(error).__name__}). Check the name and the network, run `hf auth login` if it is gated, or give a local file with --data."
        ) from error


def split_rows(rows: list[dict], *, test_ratio: float) -> Split:
    """The first `int(rows * test_ratio)` rows are the test set, the others the training set; no shuffle."""
    size = int(len(rows) * test_ratio)
    if size < 1 or size >= len(rows):
        raise UserError(f"{len(rows)} row(s) split at {test_ratio} leave an empty half; give more rows or another --test-ratio.")
    return Split(rows[:size], rows[size:], fingerprint_rows(rows))
