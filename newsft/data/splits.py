"""Of the splits that a folder or a hub data set has, one is read, and what is not read is told."""

from collections.abc import Callable, Sequence
from pathlib import Path

Tell = Callable[[str], None]
SPLIT, NAMED = "train", 10


def tell_left_out(names: Sequence[str], folder: Path, *, tell: Tell) -> None:
    """Name the files or splits that are not read, if there are any."""
    if names:
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        tell(f"of {folder} the split {SPLIT} is read; left out: {', '.join(names[:NAMED])}{more}")
