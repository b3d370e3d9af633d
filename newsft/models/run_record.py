"""What training wrote beside the adapter: which base, data and settings it was made with."""

import json
from datetime import date
from pathlib import Path

from newsft.errors import UserError

RUN_FILE = "run.json"  # beside the adapter: fingerprints, system prompt, versions


def read_run(folder: Path) -> dict | None:
    """What training wrote beside the adapter; None for an adapter made elsewhere."""
    path = folder / RUN_FILE
    if not path.exists():
        return None
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if missing := [name for name in ("recipe", "system_prompt", "base_fingerprint") if name not in run]:
            raise ValueError(f"it has no {', '.join(missing)}")
        template_day(run)
        news_lengths(run)
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}); train the adapter again or delete the file to use the adapter unchecked."
        ) from error
    return run


def template_day(run: dict) -> date | None:
    """The date that the run's chat template wrote into every row; None where it writes none, or an earlier version did not note it."""
    return date.fromisoformat(run["template_day"]) if run.get("template_day") else None


def news_lengths(run: dict) -> tuple[int, int] | None:
    """The characters of the shortest and of the longest news that the adapter was trained on; None where an earlier version did not note them."""
    if "news_lengths" not in run:
        return None
    shortest, longest = map(int, run["news_lengths"])
    return shortest, longest


def name_step(step: int) -> str:
    """What the adapter is called as it was after so many steps of its training: its file, PEFT's name for it, and the side that it answers for."""
    return f"step-{step}"
