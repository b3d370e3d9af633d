"""What every probe shares. A probe runs one other trainer's own data preparation, with that trainer's packages and none of this project's code.

`benchmarks/trainers.py` starts it with two files: what is asked (the tokenizers' folders and the conversations, by name) and where the rows go.
A row is a dict of `ids` and `labels`, None where the trainer leaves it out, or a dict with an `error`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

IGNORED = -100
SHORT = 30  # the limit that is set where a trainer has none of its own; the toy row has 54 ids
AMPLE = 8192  # a limit above every row
Way = Callable[[list[dict], int | None], dict | None]


def masked(ids: list[int], trained: list[bool]) -> list[int]:
    """The labels of a row whose trained tokens are told by a mask."""
    return [token if one else IGNORED for token, one in zip(ids, trained, strict=True)]


def shifted(inputs: list[int], targets: list[int], trained: list[bool]) -> dict:
    """The row of a trainer that keeps inputs and next tokens apart."""
    return {"ids": [inputs[0], *targets], "labels": [IGNORED, *masked(targets, trained)]}


def read_asked() -> dict:
    """`l3` and `l31`: folders with Llama 3's tokenizer and the template of 3 and of 3.1; `conversations`: name -> messages."""
    return json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def answer(
    ways: dict[str, Way],
    mends: dict[str, Callable[[], dict | None]],
    *,
    limited: tuple[str, ...] = (),
    most_messages: int = 99,
) -> None:
    """Write what each way (by the entry's key) makes of every conversation, and the mended rows.

    A way takes messages and a limit, None for the default; those of `limited`, which have no default, are asked for a row of SHORT tokens too.
    """
    asked = read_asked()["conversations"]
    conversations = {name: messages for name, messages in asked.items() if len(messages) <= most_messages}
    rows = {
        key: {name: _attempt(way, messages, None) for name, messages in conversations.items()}
        for key, way in ways.items()
    }
    for key in limited:
        rows[key]["cut"] = _attempt(ways[key], conversations["toy"], SHORT)
    mended = {key: _attempt(mend) for key, mend in mends.items()}
    Path(sys.argv[2]).write_text(json.dumps({"rows": rows, "mended": mended}), encoding="utf-8")


def _attempt(way: Callable, *given) -> dict | None:
    try:
        return way(*given)
    except Exception as error:  # whatever a trainer raises is what it does with the row
        return {"error": f"{type(error).__name__}: {str(error)[:100]}"}
