"""What a run and a program that watches it tell each other: an order on the run's standard input, and a file with one JSON object a line, of which a reader may take the whole lines at any time.

{"event": "checked", "report": "rows 20, steps 20 ...", "failed": false}
{"event": "batch", "rows": [{"input_ids": [...], "labels": [...], ...}, ...]}
{"event": "begin", "step": 0, "total": 20}
{"event": "step", "step": 1, "total": 20, "seconds": 0.9, "loss": 1.93, "learning_rate": 0.0}
{"event": "done", "moved": true}        or      {"event": "stopped", "step": 7}     or      {"event": "error", "text": "...", "key": null, "values": {}}
"""

import json
from contextlib import suppress
from pathlib import Path

from newsft.encoding.row import Encoded

STOP = "stop"  # the order, on a line of its own


class Journal:
    """Appends to the file. A full disk does not end the run here: it does where something is lost, with the remedy."""

    def __init__(self, path: Path):
        self._path = path

    def write(self, event: str, **values: object) -> None:
        """One line of its own, even behind one that was not written to its end."""
        line = f"\n{json.dumps({'event': event} | values, ensure_ascii=False, default=str)}\n"
        with suppress(OSError), self._path.open("a", encoding="utf-8") as file:
            file.write(line)


def read_journal(path: Path) -> list[dict]:
    """The events so far; none where nothing was written yet. A line that is not whole, as a killed run leaves it, is passed over."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return []
    events = []
    for line in lines:
        with suppress(ValueError):
            events.append(json.loads(line))
    return events


def read_rows(event: dict) -> list[Encoded]:
    """The rows of a journal's `batch`, each (longest row) long."""
    names = ("text", "input_ids", "labels", "attention_mask", "origins")
    return [
        Encoded.from_spans(*(row[name] for name in names), [tuple(span) for span in row["spans"]])
        for row in event["rows"]
    ]
