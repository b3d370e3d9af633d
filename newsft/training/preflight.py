"""The rows as the training is about to see them, and the checks that they have to pass before the first step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from newsft.data.messages import row_messages
from newsft.data.review import review
from newsft.data.rows import Split, load_rows, split_rows
from newsft.encoding.chat import ChatFormat
from newsft.encoding.checks import check_row
from newsft.encoding.fidelity import find_id_difference, find_text_difference, joins_answer
from newsft.encoding.row import IGNORED, Encoded
from newsft.errors import UserError, list_rows
from newsft.models import distributed
from newsft.recipe import Recipe

Tell = Callable[[str], None]

FAILURES = {
    "one_bos": "more beginning-of-text tokens than the chat template writes",
    "labels": "no label: nothing would be trained",
    "end_of_turn": "the end-of-turn token is not the last label: the model would not learn to stop",
    "only_answers": "a token that no answer holds is trained",
    "no_forged": "a message holds a control token",
    "prefix": "the prompt is not an id-prefix of the row: inference would ask for something else",
    "no_gap": "the row has something between the prompt and the first label: the model would be asked for what it was never trained to begin with",
}


class HasChat(Protocol):
    """A loaded model, or an engine: whatever the rows are encoded for."""

    chat: ChatFormat


FIDELITY = (find_text_difference, find_id_difference)


@dataclass(frozen=True)
class Preflight:
    """What the training is about to see, counted before the first step; `failures` stop it."""

    rows: int
    tokens: int
    trained_tokens: int
    longest: int
    shortened: list[int]  # training rows that lost the middle of their news
    joined: list[int]  # training rows whose prompt and answer the tokenizer by itself would join
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
            lines.append(
                f"{len(self.shortened)} row(s) were too long and lost the middle of their news: {list_rows(self.shortened)}"
            )
        if self.joined:
            lines.append(
                f"in {len(self.joined)} row(s) the tokenizer would join the prompt's end with the answer's beginning; prompt and row are both cut there: {list_rows(self.joined)}"
            )
        passed = "checks passed: one beginning token, labels in every row, the end of turn is trained, the prompt is its row up to the first label, text and ids are the template's and the tokenizer's own"
        lines += [f"FAILED: {failure}" for failure in self.failures] or [passed]
        return "\n".join(f"  {line}" for line in lines)


def read_rows(recipe: Recipe, tell: Tell) -> Split:
    """The recipe's data, with what is odd about it told before anything is trained."""
    split = split_rows(load_rows(recipe.data, tell=lambda text: tell(f"note: {text}")), test_ratio=recipe.test_ratio)
    first, count = len(split.test), len(split.rows)
    tell(f"rows: {count}, none dropped; 0 to {first - 1} are the test half, {first} to {count - 1} the training half")
    if recipe.train_rows > len(split.train):
        message = f"--train-rows is {recipe.train_rows}, and the training half has {len(split.train)}; give at most so many, or 0 for all."
        raise UserError(message, key="train_rows", asked=recipe.train_rows, held=len(split.train))
    if recipe.train_rows:
        split = replace(split, train=split.train[: recipe.train_rows])
        tell(f"trained are the first {recipe.train_rows} of the training half")
    for oddity in review(split):
        tell(f"note: {oddity}")
    return split


def encode_rows(loaded: HasChat, rows: list[dict], recipe: Recipe, *, first: int = 0) -> list[Encoded]:
    """Every row as tokens and labels, news shortened to the recipe's length; UserError names the rows that cannot fit, counted from `first`."""
    return loaded.chat.encode_rows([row_messages(row) for row in rows], max_length=recipe.max_length, first=first)


def preflight(
    loaded: HasChat, rows: list[dict], encoded: list[Encoded], recipe: Recipe, *, first: int = 0
) -> Preflight:
    """Check every row (see `checks.CHECKS`), and that text and ids are the template's and the tokenizer's own; the rows are counted from `first`."""
    failed: dict[str, list[int]] = {}
    shortened, joined = [], []
    chat, differences = loaded.chat, {}
    for number, (row, one) in enumerate(zip(rows, encoded, strict=True), first):
        messages = one.messages or row_messages(row)  # those of a shortened row
        if list(messages) != row_messages(row):
            shortened.append(number)
        for name, holds in check_row(chat, messages, one).items():
            if not holds:
                failed.setdefault(FAILURES[name], []).append(number)
        found = [difference for find in FIDELITY if (difference := find(chat, messages, one))]
        if found:  # where the text differs, the ids do for the same reason
            differences.setdefault(number, found[0])
        elif joins_answer(chat, messages, one):
            joined.append(number)
    failures = [f"{what} (rows {list_rows(numbers)})" for what, numbers in failed.items()]
    if differences:
        failures.append(
            f"{len(differences)} row(s) are not what template and tokenizer make of their messages (rows {list_rows(list(differences))}). Row {min(differences)}: {differences[min(differences)]}"
        )
    return Preflight(
        rows=len(rows),
        tokens=sum(map(len, encoded)),
        trained_tokens=sum(label != IGNORED for one in encoded for label in one.labels),
        longest=max(map(len, encoded)),
        shortened=shortened,
        joined=joined,
        steps=recipe.steps(len(rows), processes=distributed.count()),
        failures=failures,
    )
