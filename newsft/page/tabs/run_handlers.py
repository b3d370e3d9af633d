"""What the events of the part 직접 학습하기 do: preview, start, stop, resume, and how a reader's run stands."""

import dataclasses
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import gradio as gr

from newsft.encoding import tokens
from newsft.errors import UserError
from newsft.inference.types import Engine
from newsft.page.chooser import explain
from newsft.page.html import runs as views
from newsft.page.html.tokens import format_batch, format_pair, format_pane
from newsft.page.plots import plot_history
from newsft.page.texts import say
from newsft.paths import public_path
from newsft.recipe import RECIPES
from newsft.runs.preview import count_rows, preview
from newsft.runs.run import BUSY, DONE, FAILED, STOPPED, Progress, Run
from newsft.runs.runs import Runs
from newsft.runs.wish import Preview, Wish

SAID = {
    "rows": "train_rows",
    "steps": "train_steps",
    "rank": "train_rank",
    "alpha": "train_alpha",
    "learning_rate": "train_rate",
}


class RunHandlers:
    """What the part's events do. `choice` is source, file, the five numbers of SAID, targets and faults, in this order."""

    def __init__(self, engine: Engine, runs: Runs):
        self.engine, self.runs = engine, runs
        runs.on_done, runs.on_gone = self._offer, self._withdraw

    def _offer(self, run: Run) -> None:
        """A finished adapter can be asked from here on, by its name alone."""
        self.engine.add_adapter(name_adapter(run), str(run.output), listed=False)

    def _withdraw(self, run: Run) -> None:
        with suppress(UserError):  # it was never there
            self.engine.remove_adapter(name_adapter(run))

    def read_wish(self, source: str, upload: str | None, *settings: Any) -> Wish:
        """The choice as a wish; UserError where a file is to be trained and none is there."""
        if source == "upload" and not upload:
            raise UserError("No file was uploaded; upload one.", key="run_no_upload")
        *numbers, targets, faults = settings
        named = dict(zip(SAID, numbers, strict=True))
        path = Path(upload) if source == "upload" else None
        return Wish(**named, targets=tuple(targets), faults=tuple(faults), upload=path)

    def fit_rows(self, upload: str | None, rows: float | None) -> Any:
        """No more rows than the training half of the file that was just uploaded has; what is wrong with the file, the preview says."""
        if not upload or not rows:
            return gr.skip()
        try:
            held = count_rows(Path(upload), self.runs.base, self.runs.limits)
        except UserError:
            return gr.skip()
        return held if rows > held else gr.skip()

    def preview(self, language: str, *choice: Any) -> list:
        """What would be trained, or what is wrong with it: in words and, for another language, as it is."""
        try:
            wish = self.read_wish(*choice)
            found = preview(self.engine, self.runs.make_recipe(wish), wish, self.runs.limits)
        except UserError as error:
            found = _keep(error)
        return [say_found(language, found), found]

    def start(self, reader: str, language: str, *choice: Any) -> list:
        """Check the choice as the preview does, put the run into the queue, and show how it stands; a problem stands in the preview's place.

        Who starts for the first time gets a token, the first output, which the browser keeps.
        """
        reader, problem = check_reader(reader) or secrets.token_urlsafe(16), None
        try:
            wish = self.read_wish(*choice)
            found = preview(self.engine, self.runs.make_recipe(wish), wish, self.runs.limits)
            if not found.passed and not wish.faults:
                raise UserError("The rows did not pass the pre-flight check.", key="preflight_failed")
            self.runs.start(reader, wish)
        except UserError as error:
            problem = _keep(error)
        return [reader, say_found(language, problem), problem, *self.look(reader, language, None)]

    def stop(self, reader: str, language: str) -> list:
        """Stop this reader's run."""
        self.runs.stop(check_reader(reader))
        return self.look(reader, language, None)

    def resume(self, reader: str, language: str) -> list:
        """Let it go on; outputs as those of `start`, without the token."""
        problem = None
        try:
            self.runs.resume(check_reader(reader))
        except UserError as error:
            problem = _keep(error)
        return [say_found(language, problem), problem, *self.look(reader, language, None)]

    def tick(self, reader: str, language: str, shown: list | None) -> list:
        """The same for the timer, which alone switches itself off: an answer to an earlier question, such as that of the opened tab, may come behind that of the start."""
        *found, timer, now = self.look(reader, language, shown)
        return [*found, timer if isinstance(timer, gr.Timer) else gr.Timer(active=False), now]

    def look(self, reader: str, language: str, shown: list | None) -> list:
        """Status, plot, what stays the same, batch, buttons, download and timer as the run stands.

        `shown` is what stands there already (run, state, language, steps, whether the rows were checked and shown), so that nothing is sent twice
        and nothing closes that a reader has opened.
        """
        reader = check_reader(reader)
        run, progress = self.runs.find(reader), self.runs.progress(reader)
        state = progress.state if progress else None
        known = [bool(progress and progress.report), bool(progress and progress.batch)]
        now = [run.id if run else None, state, language, len(progress.steps) if progress else 0, *known]
        old = shown or [object()] * len(now)
        same = old[:3] == now[:3]
        download, problem = (gr.skip(), None) if same else _download(run)
        if problem and not progress.problem:
            progress = dataclasses.replace(progress, problem=problem)
        return [
            views.format_progress(progress, language=language),
            gr.skip() if same and old[3] == now[3] else self._plot(progress, language),
            gr.skip() if same and old[4] == now[4] else self._show_run(run, progress, language),
            gr.skip()
            if [old[0], old[2], old[5]] == [now[0], language, now[5]]
            else self._show_batch(progress, language),
            gr.update(interactive=state not in BUSY),
            gr.update(interactive=state in BUSY),
            gr.update(interactive=state in (STOPPED, FAILED)),
            download,
            gr.Timer(active=True) if state in BUSY else gr.skip(),
            now,
        ]

    def _show_run(self, run: Run | None, progress: Progress | None, language: str) -> str:
        if run is None:
            return ""
        return views.format_run(progress, faults=run.faults, flags=show_flags(run), language=language)

    def _plot(self, progress: Progress | None, language: str) -> Any:
        if not progress or not progress.steps:
            return gr.LinePlot(visible=False)
        record = {"history": list(progress.steps), "recipe": {}, "steps": progress.total}
        return gr.LinePlot(visible=True, **plot_history(record, "loss", kept=(), language=language))

    def _show_batch(self, progress: Progress | None, language: str) -> str:
        if not progress or not progress.batch:
            return ""
        chat = self.engine.chat
        rows = [tokens.read_tokens(chat, row) for row in progress.rows]
        pad_text = chat.tokenizer.convert_ids_to_tokens(chat.pad_id)
        panes = [
            format_pane(
                f"first-{number}", say("train_batch_row", language, number=number), row, marked=(), language=language
            )
            for number, row in enumerate(rows, 1)
        ]
        bands = format_batch(rows, pad_id=chat.pad_id, pad_text=pad_text, language=language)
        return bands + format_pair(panes, language=language)


def name_adapter(run: Run) -> str:
    """What the engine calls a run's adapter; whoever does not know the run cannot guess it."""
    return f"{run.recipe.max_steps}-steps-{run.id}"


def name_adapters(runs: Runs | str, token: Any) -> list[str]:
    """The names of a reader's finished adapters, the newest first."""
    return [] if isinstance(runs, str) else [name_adapter(run) for run in reversed(runs.finished(check_reader(token)))]


def check_reader(token: Any) -> str:
    """The reader's token, or nothing where the browser sent what is none."""
    return token if isinstance(token, str) and 16 <= len(token) <= 64 else ""


def show_flags(run: Run | None) -> list[str]:
    """The flags of the run for a terminal, where its places on this machine are other ones."""
    if run is None:
        return []
    usual = RECIPES[run.recipe.name]
    places = {"output": "my-adapter", "adapter": usual.adapter, "evaluation": usual.evaluation}
    places["model"], places["data"] = public_path(run.recipe.model), public_path(run.recipe.data)
    if Path(run.recipe.data).parent == run.folder:
        places["data"] = Path(run.recipe.data).name
    return dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, **places)).flags


def _download(run: Run | None) -> tuple[Any, UserError | None]:
    """The button as the run stands, and what went wrong where the adapter could not be packed."""
    problem = None
    if run is not None and run.state == DONE:
        try:
            return gr.update(value=str(run.pack()), interactive=True), None
        except UserError as error:
            problem = error
    return gr.update(value=None, interactive=False), problem


def _keep(error: UserError) -> UserError:
    """The same without the frames that a raised one holds, for as long as it may be said again."""
    return UserError(str(error), key=error.key, **error.values)


def say_found(language: str, found: Preview | UserError | None) -> str:
    """A preview, or a problem in its place; nothing where there is neither."""
    if found is None:
        return ""
    if isinstance(found, UserError) and found.key == "run_limit":  # the name in the reader's language
        named = found.values | {"name": say(SAID[found.values["name"]], language)}
        found = UserError(str(found), key=found.key, **named)
    return explain(found, language) if isinstance(found, UserError) else views.format_preview(found, language=language)
