"""Every row's answers from both sides, batch by batch, kept in a file that a killed run goes on from."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from newsft.errors import UserError
from newsft.evaluation.article import encode_article
from newsft.evaluation.results import ANSWERS_FILE, SETTINGS_FILE, Generation
from newsft.inference.detokenizer import IncrementalDetokenizer
from newsft.inference.engine import LocalEngine
from newsft.inference.types import Prompt, Request

BATCH_ROWS = 64  # articles whose answers are kept together; a kill loses as many at most


def plan_batches(engine: LocalEngine, rows: list[dict], *, batch_rows: int) -> list[list[int]]:
    """Row numbers, those of like length together, as a step is as slow as its longest row; the longest first, as they take longest."""
    lengths = [len(_encode(engine, rows, number).ids) for number in range(len(rows))]
    order = sorted(range(len(rows)), key=lambda number: (-lengths[number], number))
    return [order[start : start + batch_rows] for start in range(0, len(order), batch_rows)]


def generate_batch(
    engine: LocalEngine, rows: list[dict], numbers: list[int], *, sides: Sequence[str] | None = None
) -> list[Generation]:
    """The answers of every side, or of those in `sides`, to some rows, greedy, from one copy of the weights."""
    sides = sides or engine.sides
    prompts = {number: _encode(engine, rows, number) for number in numbers}
    asked = [
        (number, side) for side in sides for number in numbers
    ]  # all rows of one side first: rows with the adapter can then be selected by a slice (see adapter_switch)
    streams = [IncrementalDetokenizer(engine.chat) for _ in asked]
    reasons = [""] * len(asked)
    for tokens in engine.generate(
        [Request(prompts[number].ids, side, prompts[number].shared) for number, side in asked]
    ):
        for token in tokens:
            if token.token is None:
                reasons[token.row] = token.reason
            else:
                streams[token.row].add(token.token)
    ended = zip(asked, streams, reasons, strict=True)
    found = [
        Generation(number, side, stream.finish(), stream.count, reason) for (number, side), stream, reason in ended
    ]
    return sorted(found, key=lambda one: (numbers.index(one.row), sides.index(one.side)))


def _encode(engine: LocalEngine, rows: list[dict], number: int) -> Prompt:
    return encode_article(engine.chat, rows[number], room=engine.room, number=number)


def generate_all(
    engine: LocalEngine, rows: list[dict], folder: Path, settings: dict, *, batch_rows: int = BATCH_ROWS
) -> Iterator[list[Generation]]:
    """All batches of `batch_rows` articles in turn, those that an earlier run with the same settings left in `folder` first; a kill loses at most one.

    Raises UserError where the folder holds answers of other settings.
    """
    _claim(folder, settings | {"batch_rows": batch_rows})
    path, batches = folder / ANSWERS_FILE, plan_batches(engine, rows, batch_rows=batch_rows)
    kept = _restore(path, batches, engine.sides)
    yield from kept
    with path.open("a", encoding="utf-8") as file:
        for numbers in batches[len(kept) :]:
            batch = generate_batch(engine, rows, numbers)
            file.write("".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in batch))
            file.flush()
            yield batch


def _claim(folder: Path, settings: dict) -> None:
    path = folder / SETTINGS_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            earlier = json.loads(path.read_text(encoding="utf-8"))
            differing = [name for name in settings if earlier.get(name) != settings[name]]
            if differing:
                raise UserError(
                    f"{folder} holds answers of other settings ({', '.join(differing)} differ); give another folder with --output, or remove it."
                )
        elif any(folder.iterdir()):
            raise UserError(
                f"{folder} holds something that is not an evaluation; give an empty or new folder with --output."
            )
        else:
            path.write_text(json.dumps(settings, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    except FileExistsError as error:
        raise UserError(f"{folder} is a file; give a folder with --output.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"The folder {folder} cannot be used ({error}); give another one with --output.") from error


def _restore(path: Path, batches: list[list[int]], sides: tuple[str, ...]) -> list[list[Generation]]:
    """The whole batches at the start of the file; what a kill left behind them is cut off."""
    if not path.exists():
        return []
    kept, size = [], 0
    with path.open("rb") as file:
        for numbers in batches:
            lines = [file.readline() for _ in range(len(numbers) * len(sides))]
            try:
                batch = [Generation(**json.loads(line)) for line in lines]
            except (ValueError, TypeError):
                break
            if [(one.row, one.side) for one in batch] != [
                (number, side) for number in numbers for side in sides
            ] or not lines[-1].endswith(b"\n"):
                break
            kept.append(batch)
            size += sum(map(len, lines))
    with path.open("r+b") as file:
        file.truncate(size)
    return kept
