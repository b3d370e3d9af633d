"""A reader's own run, before it begins and while it goes -> HTML."""

import shlex
from collections.abc import Sequence
from html import escape

from newsft.page.html.table import format_table
from newsft.page.texts import lesson, say, say_error
from newsft.runs.run import DONE, FAILED, RUNNING, STOPPED, STOPPING, WAITING, Progress
from newsft.runs.wish import Preview

SHOWN = 300  # characters of a cell


def format_preview(found: Preview, *, language: str) -> str:
    """The first row by its columns, the halves, and the pre-flight report."""
    heads = [say("train_column", language), say("train_content", language)]
    cells = [[f"<code>{escape(name)}</code>", escape(_shorten(text))] for name, text in found.columns.items()]
    table = format_table(heads, cells, kind="scores columns-found", label=say("train_columns", language))
    halves = say("train_halves", language, tests=found.tests, trained=found.trained)
    sign, key, kind = ("✓", "train_passed", "holds") if found.passed else ("✗", "train_not_passed", "fails")
    verdict = f'<p class="verdict {kind}"><strong>{sign} {say(key, language)}</strong></p>'
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    return (
        f"<h4>{say('train_columns', language)}</h4>{table}<p>{halves}</p>{verdict}"
        f"{_format_report(found.report, language=language, opened=not found.passed)}<ul>{notes}</ul>"
    )


def format_progress(progress: Progress | None, *, language: str) -> str:
    """How the run stands, with a bar."""
    if progress is None:
        return f'<p class="waiting">{say("train_none", language)}</p>'
    said = {
        WAITING: _say_waiting,
        RUNNING: _say_running,
        STOPPING: _say_running,
        STOPPED: _say_stopped,
        DONE: _say_done,
    }
    lines = said.get(progress.state, _say_failed)(progress, language)
    text = "".join(f"<p>{line}</p>" for line in lines)
    kind = ' class="problem" role="alert"' if progress.state == FAILED or progress.moved is False else ' role="status"'
    # Said aloud when the state changes, not at every step.
    return f"<div{'' if progress.state == RUNNING else kind}>{text}</div>{_bar(progress, language)}"


def format_run(progress: Progress, *, faults: Sequence[str], flags: Sequence[str], language: str) -> str:
    """What stays the same while it goes: its mistakes, the pre-flight report, the command that does the same."""
    names = ", ".join(lesson(name, language)["switch"] for name in faults)
    mistake = f"<p>{say('train_with', language, faults=escape(names))}</p>" if faults else ""
    report = _format_report(progress.report, language=language, opened=progress.moved is False)
    command = escape(shlex.join(["python", "train.py", *flags]))
    told = f'<details class="labels"><summary>{say("train_command", language)}</summary><pre>{command}</pre></details>'
    return f"{mistake}{report}{told}"


def _format_report(report: str, *, language: str, opened: bool) -> str:
    if not report:
        return ""
    attribute = " open" if opened else ""
    return f'<details class="labels"{attribute}><summary>{say("train_report", language)}</summary><pre>{escape(report)}</pre></details>'


def _say_waiting(progress: Progress, language: str) -> list[str]:
    return [say("train_waiting", language, place=progress.place or 1)]


def _say_running(progress: Progress, language: str) -> list[str]:
    if progress.state == STOPPING:
        return [say("train_stopping", language)]
    if not progress.steps:
        return [say("train_loading", language)]
    parts = [say("train_running", language, step=progress.step, total=progress.total)]
    if progress.step == progress.total:
        parts.append(say("train_saving", language))
    elif progress.seconds_left is not None:
        parts.append(say("train_left", language, left=_say_time(progress.seconds_left, language)))
    return [" ".join([*parts, say("train_loss", language, loss=progress.steps[-1]["loss"])])]


def _say_stopped(progress: Progress, language: str) -> list[str]:
    return [
        say("train_stopped", language, step=progress.step) if progress.step else say("train_stopped_early", language)
    ]


def _say_done(progress: Progress, language: str) -> list[str]:
    problem = [escape(say_error(progress.problem, language))] if progress.problem else []
    return [say("train_done" if progress.moved else "train_still", language), *problem]


def _say_failed(progress: Progress, language: str) -> list[str]:
    return [say("train_failed", language), escape(say_error(progress.problem, language))] + (
        [say("train_may_resume", language)] if progress.problem.key == "run_died" else []
    )


def _say_time(seconds: float, language: str) -> str:
    minutes, rest = divmod(round(seconds), 60)
    key = "train_minutes" if minutes else "train_seconds"
    return say(key, language, minutes=minutes, seconds=rest) if minutes else say(key, language, seconds=rest)


def _bar(progress: Progress, language: str) -> str:
    label = escape(say("train_running", language, step=progress.step, total=progress.total))
    return f'<progress class="steps" max="{progress.total}" value="{progress.step}" aria-label="{label}">{progress.step}/{progress.total}</progress>'


def _shorten(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
