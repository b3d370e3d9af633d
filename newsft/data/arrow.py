"""Rows that lie in Arrow's tables, in a Parquet file or in a folder that `save_to_disk` wrote, as Python values."""

import json
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow.parquet import ParquetFile

from newsft.data.splits import SPLIT, Tell, tell_left_out
from newsft.errors import UserError, list_rows, one_line


def read_parquet(path: Path, *, tell: Tell) -> list[dict]:
    """The rows of a Parquet file."""
    try:
        with ParquetFile(path) as file:
            return as_rows(file.read(), path, tell=tell)
    except (pyarrow.ArrowException, ValueError, OSError) as error:
        if getattr(error, "errno", None) is not None:  # the system's; Arrow's own, of a damaged page, has none
            raise
        message = f"{path} could not be read as parquet ({one_line(error)}); write it again."
        raise UserError(message, key="upload_damaged", name=str(path)) from error


def read_saved(folder: Path, *, tell: Tell) -> list[dict]:
    """The rows that `save_to_disk` of `datasets` wrote, of several splits the split `train`."""
    from datasets import DatasetDict, load_from_disk

    try:
        found = load_from_disk(str(folder))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"The data set in {folder} could not be read ({one_line(error)}); save it again with save_to_disk()."
        ) from error
    if isinstance(found, DatasetDict):
        if SPLIT not in found:
            raise UserError(
                f"{folder} has no split {SPLIT}; it has {', '.join(found)}. Give the folder of one of them with --data."
            )
        tell_left_out([name for name in found if name != SPLIT], folder, tell=tell)
        found = found[SPLIT]
    return as_rows(found.with_format("arrow")[:], folder, tell=tell)


def as_rows(table: pyarrow.Table, source: Path, *, tell: Tell) -> list[dict]:
    """The table's rows; tells of objects that Arrow may have given keys that they did not have."""
    rows = [{field.name: _decode(row[field.name], field.type) for field in table.schema} for row in table.to_pylist()]
    if "assistant" in table.column_names and pyarrow.types.is_struct(table.schema.field("assistant").type):
        answers = [row["assistant"] for row in rows]
        filled = [number for number, held in enumerate(answers) if isinstance(held, dict) and _holds_none(held)]
        if filled:
            tell(
                f"{source}: assistant is a struct, in which all rows have the same keys in the same order: {len(filled)} row(s) are trained with None where they may have had no key "
                f"(rows {list_rows(filled)}). If they had none, write the answers as text or as JSONL"
            )
    return rows


def _decode(value: Any, kind: pyarrow.DataType) -> Any:
    """A cell, where it is of the type in which `datasets` keeps objects of different keys, as the object that its JSON means; what is no JSON is text."""
    if isinstance(value, dict) and pyarrow.types.is_struct(kind):
        return {field.name: _decode(value[field.name], field.type) for field in kind}
    if isinstance(value, list) and pyarrow.types.is_list(kind):
        return [_decode(item, kind.value_type) for item in value]
    if isinstance(value, str) and isinstance(kind, pyarrow.JsonType):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _holds_none(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_holds_none, inner))
