"""A finished evaluation, read back from its folder and scored again: what the page shows and the exports hold."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from newsft.data.messages import asked_text
from newsft.errors import UserError
from newsft.evaluation import metrics
from newsft.evaluation.metrics import ScoredAnswer
from newsft.fingerprints import fingerprint_rows

ANSWERS_FILE, SETTINGS_FILE = "answers.jsonl", "settings.json"
SUMMARY_FILE, TABLE_FILE = "summary.json", "table.md"
FILTERS = ("all", "tuned_wins", "base_wins", "unreadable")


@dataclass
class Generation:
    """One side's answer to one row."""

    row: int
    side: str
    text: str
    tokens: int
    reason: str  # why it ended


@dataclass(frozen=True)
class Row:
    """One article with the scored answer of every side: base, tuned or both."""

    number: int
    article: str
    answers: dict[str, ScoredAnswer]

    @property
    def last(self) -> ScoredAnswer:
        """The tuned answer, or the base answer where the evaluation has no adapter."""
        return self.answers.get("tuned") or self.answers["base"]

    @property
    def gain(self) -> float:
        """By how much the tuned answer agrees better with gold than the base answer, between -1 and 1; 0 where one side or the gold answer is missing."""
        scores = [self.answers[side].score for side in ("base", "tuned") if side in self.answers]
        return scores[1] - scores[0] if len(scores) == 2 and None not in scores else 0.0

    def passes(self, chosen: str) -> bool:
        """Whether the row belongs to a filter, one of FILTERS; `unreadable` is about the last answer."""
        if chosen == "unreadable":
            return not self.last.answer.readable
        return chosen == "all" or (self.gain > 0 if chosen == "tuned_wins" else self.gain < 0)


@dataclass(frozen=True)
class Results:
    """The summary of an evaluation and its rows."""

    summary: dict
    rows: list[Row]

    def filtered(self, chosen: str) -> list[Row]:
        """The rows that pass a filter."""
        return [row for row in self.rows if row.passes(chosen)]


def load_results(folder: Path, rows: list[dict]) -> Results:
    """The evaluation in `folder` of the test split `rows`.

    Raises UserError where there is none, where it is not finished or damaged, and where it is of other rows.
    """
    if not (folder / SUMMARY_FILE).exists() or not (folder / ANSWERS_FILE).exists():
        quoted = shlex.quote(str(folder))
        message = (
            f"{folder} holds no finished evaluation; make one with `python -m newsft.evaluation --output {quoted}`."
        )
        raise UserError(message, key="no_evaluation", folder=quoted)
    try:
        summary = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
        found = read_generations(folder / ANSWERS_FILE)
        count = summary["settings"]["rows"]
        fits = fingerprint_rows(rows[:count]) == summary["settings"]["data_fingerprint"] and {
            one.row for one in found
        } == set(range(count))
    except (OSError, ValueError, TypeError, KeyError) as error:
        message = f"The evaluation in {folder} is damaged ({error}); make it again."
        raise UserError(message, key="damaged_evaluation", folder=str(folder)) from error
    if not fits:
        message = f"The evaluation in {folder} is of other rows than the data's test split; evaluate again, or give its data with --data."
        raise UserError(message, key="other_evaluation", folder=str(folder))
    scored = score_all(rows, found)
    if not all(metrics.MEASURES.keys() <= summary.get(side, {}).keys() for side in scored):
        summary |= summarise(scored)  # it is of a version that measured less
    answers = [{side: answers[number] for side, answers in scored.items()} for number in range(count)]
    return Results(summary, [Row(number, asked_text(rows[number]), answers[number]) for number in range(count)])


def score_all(rows: list[dict], found: list[Generation]) -> dict[str, list[ScoredAnswer]]:
    """side -> its answers, compared and ready to be scored, in the order of the rows."""
    scored: dict[str, list[ScoredAnswer]] = {}
    for one in sorted(found, key=lambda one: one.row):
        scored.setdefault(one.side, []).append(metrics.score_text(one.row, rows[one.row], one.text, one.reason))
    return scored


def summarise(scored: dict[str, list[ScoredAnswer]]) -> dict:
    """side -> scores, and the paired difference of tuned over base."""
    summary = {side: metrics.score(answers) for side, answers in scored.items()}
    if {"base", "tuned"} <= scored.keys():
        summary["difference"] = metrics.compare(scored["base"], scored["tuned"])
    return summary


def read_generations(path: Path) -> list[Generation]:
    """Every generation of a finished run."""
    # Not splitlines(), which cuts at U+2028 too: a text may hold it.
    return [Generation(**json.loads(line)) for line in path.read_text(encoding="utf-8").split("\n") if line]
