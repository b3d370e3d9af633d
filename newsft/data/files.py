"""A data file, a folder or a data set of the hub -> rows as they were written: text stays text, and an object keeps its own keys."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from newsft.data.splits import SPLIT, Tell, tell_left_out
from newsft.errors import UserError, list_rows, one_line

ENDINGS = (".jsonl", ".json", ".csv", ".parquet")
HUB_FILES = [*(f"*{ending}" for ending in ENDINGS), "README.md"]  # the card names the files of each split
SAVED = ("state.json", "dataset_dict.json")  # what `save_to_disk` of `datasets` leaves in a folder
ABOUT = ("dataset_info.json", "dataset_infos.json", "config.json")  # what a data set says about itself, and no rows
LONGEST_CELL = 2**31 - 1  # characters; csv's own limit of 131,072 is below that of a news text


def is_local(source: str) -> bool:
    """Whether a source names a file or a folder, rather than a data set on the hub."""
    return Path(source).suffix.lower() in ENDINGS or Path(source).exists()


def read_rows(source: str, *, tell: Tell) -> list[dict]:
    """The rows of a file, of a folder's or a hub data set's split `train`, or of a folder that `save_to_disk` wrote; UserError where they cannot be read."""
    path = Path(source) if is_local(source) else _download(source)
    if any((path / name).exists() for name in SAVED):
        from newsft.data.arrow import (
            read_saved,
        )  # imported where it is needed, as it takes a second: the embedded rows do without

        return read_saved(path, tell=tell)
    files = _list_files(path, tell=tell) if path.is_dir() else [path]
    rows: list[dict] = []
    for file in files:
        try:
            rows += _read_file(file, tell=tell)
        except OSError as error:
            raise UserError(
                f"The data file {file} could not be read ({error.strerror or error}); give an existing JSONL, CSV or Parquet file, or a hub id."
            ) from error
    return rows


def _read_file(path: Path, *, tell: Tell) -> list[dict]:
    if not path.exists():
        raise UserError(f"There is no data file {path}; give an existing JSONL, CSV or Parquet file, or a hub id.")
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UserError(f"{path} is not a JSONL, CSV or Parquet file; file names must end in {', '.join(ENDINGS)}.")
    if ending == ".parquet":
        from newsft.data.arrow import read_parquet

        return read_parquet(path, tell=tell)
    text = _read_text(path, tell=tell)
    return _read_csv(path, text) if ending == ".csv" else _read_json(path, text)


def _read_text(path: Path, *, tell: Tell) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        at = error.start
    try:
        text = content.decode("cp949")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is neither UTF-8 (byte {at}) nor cp949 (byte {error.start}); save it as UTF-8.",
            key="no_utf8",
            name=str(path),
            at=at,
        ) from error
    tell(
        f"{path} is not UTF-8 and was read as cp949, as Excel saves it in Korea; where its Hangul is wrong, save it as UTF-8"
    )
    return text


def _read_json(path: Path, text: str) -> list[dict]:
    if text.lstrip().startswith("["):
        rows = _parse(text, path)
    else:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        rows = [_parse(line, path, number) for number, line in lines]
    if wrong := [number for number, row in enumerate(rows) if not isinstance(row, dict)]:
        raise UserError(
            f"{path} must hold one JSON object a row; {len(wrong)} row(s) are none (rows {list_rows(wrong)}; row {wrong[0]} is {rows[wrong[0]]!r:.80}).",
            key="rows_no_object",
            name=str(path),
            count=len(wrong),
            rows=wrong,
            first=wrong[0],
            held=f"{rows[wrong[0]]!r:.80}",
        )
    return rows


def _parse(text: str, path: Path, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        remedy = " Each line must hold one row." if line else ""
        where = f"{path}, line {line}" if line else str(path)
        raise UserError(
            f"{where} is not valid JSON: {error}.{remedy}",
            key="no_json_line" if line else "no_json",
            name=str(path),
            line=line,
            said=str(error),
        ) from error


def _read_csv(path: Path, text: str) -> list[dict]:
    csv.field_size_limit(LONGEST_CELL)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        table = [cells for cells in lines if cells]
    except csv.Error as error:
        raise UserError(
            f"{path}, line {lines.line_num} is not valid CSV: {error}. Put cells that hold a comma, a quote or a line break into double quotes, and write a quote in them twice.",
            key="no_csv",
            name=str(path),
            line=lines.line_num,
            said=str(error),
        ) from error
    header, cells = (table[0], table[1:]) if table else ([], [])
    if twice := [name for name in dict.fromkeys(header) if name and header.count(name) > 1]:
        message = f"{path} names the column(s) {', '.join(twice)} twice; give each column its own name."
        raise UserError(message, key="columns_twice", name=str(path), columns=", ".join(twice))
    wrong = [number for number, row in enumerate(cells) if len(row) != len(header)]
    if wrong:
        first = f"row {wrong[0]} has {len(cells[wrong[0]])}"
        raise UserError(
            f"{path}: {len(wrong)} row(s) have another number of cells than the header's {len(header)} (rows {list_rows(wrong)}; {first}); put cells that hold a comma into double quotes.",
            key="uneven_rows",
            name=str(path),
            count=len(wrong),
            rows=wrong,
            columns=len(header),
        )
    return [dict(zip(header, row, strict=True)) for row in cells]


def _list_files(folder: Path, *, tell: Tell) -> list[Path]:
    """The files of the split `train`, as `datasets` finds them by the folder's card and the files' names."""
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetsError

    try:
        splits = load_dataset_builder(str(folder)).config.data_files
    except (OSError, DatasetsError) as error:
        raise UserError(
            f"The folder {folder} holds no JSONL, CSV or Parquet file; file names must end in {', '.join(ENDINGS)}."
        ) from error
    except (ValueError, RuntimeError) as error:  # several configurations, a script
        raise UserError(
            f"The folder {folder} could not be read as one data set ({one_line(error)}); give one of its files or folders with --data."
        ) from error
    if SPLIT not in splits:
        raise UserError(
            f"{folder} has no split {SPLIT}; it has {', '.join(map(str, splits))}. Give one of its files with --data."
        )
    files = [Path(file) for file in splits[SPLIT]]
    if any(file.suffix.lower() not in ENDINGS for file in files):
        raise UserError(
            f"The folder {folder} holds no JSONL, CSV or Parquet file; file names must end in {', '.join(ENDINGS)}."
        )
    held = {path.absolute() for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.name not in ABOUT}
    tell_left_out(
        sorted(str(path.relative_to(folder.absolute())) for path in held.difference(files)), folder, tell=tell
    )
    return files


def _download(source: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source, repo_type="dataset", allow_patterns=HUB_FILES))
    except (OSError, ValueError) as error:  # offline, unknown, gated
        raise UserError(
            f"The data set {source} could not be loaded from the hub ({type(error).__name__}). Check the name and the network, run `hf auth login` if it is gated, or give a local file with --data."
        ) from error
