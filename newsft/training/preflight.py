"""The rows as the training is about to see them, and the checks that they have to pass before the first step."""

from dataclasses import dataclass

from newsft.data.messages import row_messages
from newsft.encoding.chat import ELLIPSIS, IGNORED, Encoded
from newsft.encoding.checks import check_row
from newsft.errors import list_rows
from newsft.models import distributed
from newsft.models.load import Loaded
from newsft.recipe import Recipe

FAILURES = {
    "one_bos": "more than one beginning-of-text token",
    "labels": "no label: nothing would be trained",
    "end_of_turn": "the end-of-turn token is not the last label: the model would not learn to stop",
    "only_answers": "a token that no answer holds is trained",
    "no_forged": "a message holds a control token",
    "prefix": "the prompt is not an id-prefix of the row: inference would ask for something else",
}


@dataclass(frozen=True)
class Preflight:
    """What the training is about to see, counted before the first step; `failures` stop it."""

    rows: int
    tokens: int
    trained_tokens: int
    longest: int
    shortened: list[int]  # training rows that lost the middle of their news
    steps: int
    failures: list[str]

    def report(self) -> str:
        """A few lines of text for the terminal."""
        share = self.trained_tokens / self.tokens
        lines = [
            f"rows {self.rows}, steps {self.steps}, longest row {self.longest:,} tokens",
            f"tokens {self.tokens:,}, of which trained {self.trained_tokens:,} ({share:.1%}); the rest has the label {IGNORED}",
        ]
        if self.shortened:
            lines.append(f"{len(self.shortened)} row(s) were too long and lost the middle of their news: {list_rows(self.shortened)}")
        lines += [f"FAILED: {failure}" for failure in self.failures] or ["checks passed: one beginning token, labels in every row, the end of turn is trained, the prompt is a prefix of its row"]
        return "\n".join(f"  {line}" for line in lines)


def encode_rows(loaded: Loaded, rows: list[dict], recipe: Recipe, *, first: int = 0) -> list[Encoded]:
    """Every row as tokens and labels, news shortened to the recipe's length; UserError names the rows that cannot fit, counted from `first`."""
    return loaded.chat.encode_rows([row_messages(row) for row in rows], max_length=recipe.max_length, first=first)


def preflight(loaded: Loaded, rows: list[dict], encoded: list[Encoded], recipe: Recipe, *, first: int = 0) -> Preflight:
    """Check the invariants of every row (one BOS, a label, end of turn trained, prompt is an id-prefix); its rows are counted from `first`."""
    failed: dict[str, list[int]] = {}
    shortened = []
    for number, (row, one) in enumerate(zip(rows, encoded, strict=True), first):
        held = check_row(loaded.chat, row_messages(row), one)
        if not held["prefix"] and ELLIPSIS in one.text and len(one) <= recipe.max_length < _prompt_length(loaded, row) + sum(label != IGNORED for label in one.labels):
            shortened.append(number)
            held["prefix"] = True  # the prompt of the shortened news is; the whole news would not fit
        for name in (name for name, holds in held.items() if not holds):
            failed.setdefault(FAILURES[name], []).append(number)
    return Preflight(
        rows=len(rows),
        tokens=sum(map(len, encoded)),
        trained_tokens=sum(label != IGNORED for one in encoded for label in one.labels),
        longest=max(map(len, encoded)),
        shortened=shortened,
        steps=recipe.steps(len(rows), processes=distributed.count()),
        failures=[f"{what} (rows {list_rows(numbers)})" for what, numbers in failed.items()],
    )


def _prompt_length(loaded: Loaded, row: dict) -> int:
    return len(loaded.chat.encode_prompt(row_messages(row)[:-1]))
