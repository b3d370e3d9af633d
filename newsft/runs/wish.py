"""What a reader wants trained, within the limits that a page sets -> the recipe of `train.py`."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

from newsft.data.files import ENDINGS
from newsft.errors import UserError
from newsft.recipe import Recipe

MB = 10**6


@dataclass(frozen=True)
class Limits:
    """What one reader, and all of them together, may ask of the machine."""

    steps: int = 200
    rows: int = 2_000  # of an uploaded file, its test half among them
    upload: int = 5 * MB  # bytes of an uploaded file
    unpacked: int = 50 * MB  # bytes of a Parquet file's columns
    rank: int = 64
    waiting: int = 20  # runs in the queue
    per_reader: int = 3  # finished runs that are kept of one reader
    kept: int = 1_000 * MB  # bytes of all runs together
    age: float = 24 * 3600.0  # seconds after its end at which a run is removed


@dataclass(frozen=True)
class Wish:
    """Rows, settings and mistakes of one run; `upload` is the reader's own file, None for the page's data."""

    rows: float | None
    steps: float | None
    rank: float | None
    alpha: float | None
    targets: tuple[str, ...]
    learning_rate: float | None
    faults: tuple[str, ...] = ()
    upload: Path | None = None


@dataclass(frozen=True)
class Preview:
    """What a run would train: the first row by its columns, the sizes of both halves, and what the pre-flight report says."""

    columns: dict[str, str]
    tests: int
    trained: int
    notes: tuple[str, ...]
    report: str
    passed: bool


def check_upload(path: Path, limits: Limits) -> None:
    """UserError for a file that is no JSONL, CSV or Parquet or is too large, packed or unpacked."""
    if path.suffix.lower() not in ENDINGS:
        message = f"{path.name} is no data file; its name has to end in {', '.join(ENDINGS)}."
        raise UserError(message, key="upload_kind", name=path.name, endings=", ".join(ENDINGS))
    size = path.stat().st_size
    if path.suffix.lower() == ".parquet" and size <= limits.upload:
        unpacked = _unpack(path, limits)
        size = size if unpacked <= limits.unpacked else unpacked
    if size > limits.upload:
        message = (
            f"{path.name} has {size / MB:.1f} MB; at most {limits.upload / MB:.0f} MB are taken, so leave out rows."
        )
        raise UserError(message, key="upload_large", name=path.name, size=size / MB, most=limits.upload // MB)


def _unpack(path: Path, limits: Limits) -> int:
    """What a Parquet file takes in memory, in bytes, counted as far as the limit. UserError where it is damaged or has too many rows.

    What its own header says is no measure: a text that comes a thousand times is counted there once.
    """
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            about = file.metadata
            check_count(about.num_rows, limits)
            unpacked = sum(about.row_group(number).total_byte_size for number in range(about.num_row_groups))
            if unpacked <= limits.unpacked:
                unpacked = 0
                for batch in file.iter_batches(batch_size=1):  # no more than one row of unknown size at a time
                    unpacked += batch.nbytes
                    if unpacked > limits.unpacked:
                        break
            return unpacked
    except (ArrowException, OSError) as error:
        message = f"{path.name} could not be read as Parquet; write it again."
        raise UserError(message, key="upload_damaged", name=path.name) from error


def check_count(rows: int, limits: Limits) -> None:
    """UserError for a file of too many rows."""
    if rows > limits.rows:
        message = f"The file has {rows:,} rows; at most {limits.rows:,} are taken."
        raise UserError(message, key="upload_rows", count=rows, most=limits.rows)


def make_recipe(base: Recipe, wish: Wish, *, limits: Limits, output: Path) -> Recipe:
    """The recipe of a run: `base`, the page's own, with what is wished for. UserError names the setting that is out of its range, and the range."""
    numbers = {
        "train_rows": _check("rows", wish.rows, 1, limits.rows),
        "max_steps": _check("steps", wish.steps, 1, limits.steps),
        "lora_r": _check("rank", wish.rank, 1, limits.rank),
        "lora_alpha": _check("alpha", wish.alpha, 1, 1_024),
    }
    if not wish.targets:
        raise UserError("No layer is chosen; name at least one layer, such as q_proj.", key="run_targets")
    rate = wish.learning_rate
    if rate is None or not 0 < rate <= 1:  # nan too
        _refuse("learning_rate", "0.000001", "1")
    return replace(
        base,
        **numbers,
        learning_rate=float(rate),
        lora_targets=tuple(wish.targets),
        data=str(wish.upload or base.data),
        output=str(output),
        log_every=1,  # for the curve that grows
        save_every=10,  # where a killed run goes on from
        eval_rows=0,
        keep_steps=(),
    )


def _check(name: str, value: float | None, least: int, most: int) -> int:
    if value is None or not math.isfinite(value) or value != int(value) or not least <= value <= most:
        _refuse(name, f"{least}", f"{most:,}")
    return int(value)


def _refuse(name: str, least: str, most: str) -> None:
    raise UserError(
        f"{name} has to lie between {least} and {most}.", key="run_limit", name=name, least=least, most=most
    )
