"""The answers of an adapter at several steps of its training -> HTML: all steps in one table, one step beside the base, the curve's figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from newsft.evaluation.answer import KEYS, STRICT, UNREADABLE, Answer
from newsft.evaluation.fields import STOCKS, FieldComparison, differing_keys
from newsft.inference.types import AnswerStream
from newsft.page.html.compare import format_side
from newsft.page.html.fields import format_fields
from newsft.page.html.table import format_table
from newsft.page.texts import say

MARKS = {True: "✓", False: "✗"}


@dataclass(frozen=True)
class StepAnswer:
    """What the adapter of one step has answered so far; `step` is None for the base. Read and compared once it is done."""

    step: int | None
    stream: AnswerStream
    answer: Answer
    compared: FieldComparison
    gold: Answer | None

    @property
    def is_dict(self) -> bool:
        """Whether Python reads it as a dict as it stands."""
        return self.answer.reading == STRICT

    @property
    def has_all_keys(self) -> bool:
        """Whether it is a dict with all eight keys."""
        return self.answer.readable

    @property
    def has_right_companies(self) -> bool | None:
        """Whether it names the gold answer's companies, each on its side, and no others; None where there is no gold answer."""
        if self.gold is None:
            return None
        fields = [self.compared.fields[key] for key in STOCKS.values()]
        return not any(field.false_positives or field.false_negatives for field in fields)


def name_step(step: int | None, language: str) -> str:
    """A step as the page calls it."""
    return say("base", language) if step is None else say("growth_step", language, step=step)


def format_strip(answers: Sequence[StepAnswer], *, language: str) -> str:
    """From which step on the answer is what it should be, and a line for the base and for every step."""
    heads = [say(f"growth_{name}", language) for name in ("column", "dict", "keys", "companies", "faithful", "length")]
    rows = [[name_step(one.step, language), *_cells(one, language)] for one in answers]
    done = all(one.stream.reason for one in answers)
    table = format_table(heads, rows, kind="scores strip", label=say("growth_strip", language))
    said = _say_when(answers, language) if done else f'<p class="waiting">{say("growth_running", language)}</p>'
    return f'<div class="growth" aria-busy="{str(not done).lower()}">{said}{table}</div>'


def find_first(answers: Sequence[StepAnswer], holds: Callable[[StepAnswer], bool | None]) -> int | None:
    """The first step from which on something holds at every step; None where it does not hold at the last one."""
    first = None
    for one in reversed([one for one in answers if one.step is not None]):
        if not holds(one):
            break
        first = one.step
    return first


def _say_when(answers: Sequence[StepAnswer], language: str) -> str:
    questions = {"dict": lambda one: one.is_dict, "keys": lambda one: one.has_all_keys}
    if answers[0].gold is not None:
        questions["companies"] = lambda one: one.has_right_companies
    lines = []
    for name, holds in questions.items():
        step = find_first(answers, holds)
        when = say("growth_never", language) if step is None else say("growth_from", language, step=step)
        lines.append(f"<li>{say(f'growth_when_{name}', language)}: <strong>{when}</strong></li>")
    return f'<div class="when" role="status"><ul>{"".join(lines)}</ul></div>'


def _cells(one: StepAnswer, language: str) -> list[str]:
    stream = one.stream
    length = say("growth_tokens", language, tokens=stream.tokens)
    if stream.reason is None:
        return ["…"] * 4 + [length]
    reading = "repaired" if not one.is_dict and one.answer.reading != UNREADABLE else "yes" if one.is_dict else "no"
    share = one.compared.faithfulness.share
    return [
        say(f"growth_dict_{reading}", language),
        f"{MARKS[one.has_all_keys]} {len(one.answer.values)} / {len(KEYS)}",
        _companies(one, language),
        "–" if share is None else f"{share * 100:.0f} %",
        f"{length} · {say(stream.reason, language)}",
    ]


def _companies(one: StepAnswer, language: str) -> str:
    keys = STOCKS.values()
    if one.gold is None:
        named = sum(len(one.answer.values.get(key) or []) for key in keys)
        foreign = sum(len(one.compared.ungrounded.get(key, [])) for key in keys)
        return say("growth_named", language, named=named, held=named - foreign)
    fields = [one.compared.fields[key] for key in keys]
    counts = {
        "right": sum(len(field.true_positives) for field in fields),
        "wrong": sum(len(field.false_positives) for field in fields),
        "missed": sum(len(field.false_negatives) for field in fields),
    }
    if not any(counts.values()):
        return f"✓ {say('growth_no_companies', language)}"
    return f"{MARKS[bool(one.has_right_companies)]} {say('growth_companies_counts', language, **counts)}"


def format_pair(base: StepAnswer, chosen: StepAnswer, *, language: str) -> str:
    """The base's answer and that of one step, with their fields; each is marked against gold where there is one."""
    differing = differing_keys(base.answer, chosen.answer)
    columns = []
    for side, one in (("base", base), ("tuned", chosen)):
        fields = format_fields(one.answer, one.compared, language=language, gold=one.gold, differing=differing)
        note = None if one.step is None else say("growth_note", language, step=one.step)
        columns.append(format_side(side, one.stream, fields, language=language, note=note))
    return f'<div class="columns">{"".join(columns)}</div>'


def format_curve(curve: dict, measures: Sequence[str], *, fits: bool, language: str) -> str:
    """Where the curve comes from, and its values with their intervals; `fits` says whether it is of the adapter that is loaded."""
    warning = "" if fits else f'<p class="problem" role="alert">{say("curve_of_another", language)}</p>'
    origin = say("curve_origin", language, rows=curve["settings"]["rows"], date=curve["date"])
    heads = [say("growth_column", language), *(say(f"measure_{name}", language) for name in measures)]
    lines = [(None, curve["base"]), *((point["step"], point) for point in curve["points"])]
    rows = [
        [name_step(step, language), *(_score(held[name], held["intervals"][name]) for name in measures)]
        for step, held in lines
    ]
    table = format_table(heads, rows, kind="scores", label=say("curve_title", language))
    return f'{warning}<p class="footer">{escape(origin)}</p>{table}'


def _score(value: float | None, interval: list[float] | None) -> str:
    if value is None:
        return "–"
    limits = f" <small>({interval[0] * 100:.0f}–{interval[1] * 100:.0f})</small>" if interval else ""
    return f"{value * 100:.1f} %{limits}"
