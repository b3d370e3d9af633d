"""The flags of a benchmark: what its module's docstring says, its own numbers, and --short."""

import argparse
import sys
from collections.abc import Sequence


class Flags(argparse.ArgumentParser):
    """A parser whose --short stands for small values of the flags that are not given."""

    def __init__(self, description: str, **short):
        """`short`: those values, by the names of the flags."""
        super().__init__(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
        self._short = short
        values = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in short.items())
        self.add_argument(
            "--short",
            action="store_true",
            help=f"that it runs to its end, in under a minute; its figures say little ({values})",
        )

    def parse_args(self, given: Sequence[str] | None = None) -> argparse.Namespace:
        """As argparse does, from the command line by default."""
        if "--short" in (sys.argv[1:] if given is None else given):
            self.set_defaults(**self._short)
        return super().parse_args(given)
