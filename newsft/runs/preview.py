"""What a run would train, before anything is trained: the columns, the halves, and the pre-flight report of `train.py` itself."""

from pathlib import Path

from newsft.data.rows import load_rows, split_rows
from newsft.errors import UserError
from newsft.recipe import Recipe
from newsft.runs.wish import Limits, Preview, Wish, check_count, check_upload
from newsft.training.preflight import HasChat, encode_rows, preflight, read_rows


def preview(loaded: HasChat, recipe: Recipe, wish: Wish, limits: Limits) -> Preview:
    """Read, encode and check the rows of a wish's recipe as the run will. UserError as the run, with an uploaded file's own name alone."""
    if wish.upload:
        check_upload(wish.upload, limits)
    notes: list[str] = []
    try:
        split = read_rows(recipe, notes.append)
        if wish.upload:
            check_count(len(split.rows), limits)
        first = len(split.test)
        encoded = encode_rows(loaded, split.train, recipe, first=first)
        report = preflight(loaded, split.train, encoded, recipe, first=first)
    except UserError as error:
        values = {
            name: _name(value, wish.upload) if isinstance(value, str) else value for name, value in error.values.items()
        }
        raise UserError(_name(str(error), wish.upload), key=error.key, **values) from error
    columns = {name: str(value) for name, value in split.train[0].items()}
    told = tuple(_name(note.removeprefix("note: "), wish.upload) for note in notes)
    return Preview(columns, first, len(split.train), told, report.report(), not report.failures)


def count_rows(upload: Path, recipe: Recipe, limits: Limits) -> int:
    """The rows of a file's training half. UserError where it cannot be read."""
    check_upload(upload, limits)
    return len(split_rows(load_rows(str(upload)), test_ratio=recipe.test_ratio).train)


def _name(text: str, upload: Path | None) -> str:
    """Where it was put down on this machine is nobody's concern."""
    return text.replace(str(upload), upload.name) if upload else text
