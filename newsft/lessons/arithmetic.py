"""The arithmetic of a run: rows, epochs, batch, accumulation and processes -> updates and tokens, by the functions that train."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from newsft.data.messages import row_messages
from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import IGNORED
from newsft.errors import UserError
from newsft.recipe import Recipe

# The quantities that can be changed, each with the largest value that is counted.
MOST = {"epochs": 100, "batch_size": 256, "accumulation": 256, "processes": 64}


@dataclass(frozen=True)
class RowTokens:
    """How many tokens each training row has, and how many of them are trained: those with a label."""

    tokens: tuple[int, ...]
    trained: tuple[int, ...]


@dataclass(frozen=True)
class Arithmetic:
    """A run in numbers. Tokens are counted without padding, each as often as it is seen."""

    rows: int
    epochs: int
    batch_size: int
    accumulation: int
    processes: int
    per_epoch: int  # updates of one pass over the rows
    updates: int
    rows_in_last: int  # rows behind an epoch's last update
    tokens: int
    trained: int

    @property
    def rows_per_update(self) -> int:
        """Rows behind one update; an epoch's last one may have fewer."""
        return self.batch_size * self.accumulation * self.processes


def count_tokens(chat: ChatFormat, rows: Sequence[dict], *, max_length: int) -> RowTokens:
    """The rows encoded as the training encodes them, and counted. Raises UserError naming the rows that do not fit into `max_length` tokens."""
    encoded = chat.encode_rows([row_messages(row) for row in rows], max_length=max_length)
    return RowTokens(
        tuple(len(one) for one in encoded), tuple(sum(label != IGNORED for label in one.labels) for one in encoded)
    )


def compute(
    recipe: Recipe,
    counted: RowTokens,
    *,
    rows: float | None,
    epochs: float | None,
    batch_size: float | None,
    accumulation: float | None,
    processes: float | None,
) -> Arithmetic:
    """The run over the first `rows` training rows. Raises UserError, naming the quantity, for what is no whole number within its limits."""
    given = {"rows": rows, "epochs": epochs, "batch_size": batch_size}
    given |= {"accumulation": accumulation, "processes": processes}
    limits = {"rows": len(counted.tokens)} | MOST
    for name, value in given.items():
        if not isinstance(value, (int, float)) or value != int(value) or not 1 <= value <= limits[name]:
            message = f"{name} is {value}; give a whole number from 1 to {limits[name]}."
            raise UserError(message, key="quantity", name=name, most=limits[name])
    whole = {name: int(value) for name, value in given.items()}
    count, passes, width = whole["rows"], whole["epochs"], whole["processes"]
    settings = {"batch_size": whole["batch_size"], "accumulation": whole["accumulation"], "max_steps": -1}
    run = replace(recipe, epochs=passes, **settings)
    per_epoch = replace(run, epochs=1).steps(count, processes=width)
    return Arithmetic(
        **whole,
        per_epoch=per_epoch,
        updates=run.steps(count, processes=width),
        rows_in_last=count - (per_epoch - 1) * run.rows_per_step * width,
        tokens=passes * sum(counted.tokens[:count]),
        trained=passes * sum(counted.trained[:count]),
    )
