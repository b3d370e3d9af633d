"""The one error that a user can put right, how it lists rows, and how a program ends with it."""

import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any


class UserError(ValueError):
    """Says what is wrong and names the remedy; programs print it and exit with 2, the page shows it.

    With a `key`, the page says it in the reader's language: `error_<key>` in assets/texts.toml, filled with `values`. A list among them holds
    the numbers of rows, a UserError the reason of this one.
    """

    def __init__(self, message: str, *, key: str | None = None, **values: Any):
        super().__init__(message)
        self.key, self.values = key, values


def list_rows(numbers: Sequence[int], more: str = " and {count} more") -> str:
    """The first ten numbers, and how many more there are."""
    return ", ".join(map(str, numbers[:10])) + (more.format(count=len(numbers) - 10) if len(numbers) > 10 else "")


def one_line(error: BaseException) -> str:
    """What a library says, on one line and not without end."""
    return " ".join(str(error).split())[:300]


def command(*, stopped: str = "stopped") -> Callable[[Callable[[], int | None]], Callable[[], int]]:
    """Decorate a program's main function: it then returns the exit code, 2 for a UserError and 130 for Ctrl-C, each said in a line and without a traceback."""

    def decorate(main: Callable[[], int | None]) -> Callable[[], int]:
        @wraps(main)
        def run() -> int:
            try:
                return main() or 0
            except UserError as error:
                print(f"error: {error}", file=sys.stderr)
                return 2
            except KeyboardInterrupt:
                print(f"\n{stopped}", file=sys.stderr)
                return 130

        return run

    return decorate
