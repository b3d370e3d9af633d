"""The part 직접 학습하기 of the tab 학습: a run of one's own, from the choice of rows to the finished adapter."""

import dataclasses
from pathlib import Path
from typing import Any

import gradio as gr

from newsft.encoding import tokens
from newsft.errors import UserError
from newsft.inference.types import Engine
from newsft.lessons.faults import TRAINABLE
from newsft.models import lora
from newsft.models.hub import read_config
from newsft.page.chooser import explain
from newsft.page.html import runs as views
from newsft.page.html.tokens import format_batch, format_tokens
from newsft.page.plots import plot_history
from newsft.page.tabs.history import LOOK
from newsft.page.texts import lesson, say
from newsft.page.words import QUICK, Words
from newsft.runs.preview import preview
from newsft.runs.run import BUSY, DONE, FAILED, STOPPED, Progress, Run
from newsft.runs.runs import Runs
from newsft.runs.wish import Wish

TICK_SECONDS = 1.5  # between two looks at the journal
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
SOURCES = ("page", "upload")
SAID = {
    "rows": "train_rows",
    "steps": "train_steps",
    "rank": "train_rank",
    "alpha": "train_alpha",
    "learning_rate": "train_rate",
}
FIRST_ROWS, FIRST_STEPS = 40, 20


class RunHandlers:
    """What the part's events do. `choice` is source, file, the five numbers of SAID, targets and faults, in this order."""

    def __init__(self, engine: Engine, runs: Runs):
        self.engine, self.runs = engine, runs

    def read_wish(self, source: str, upload: str | None, *settings: Any) -> Wish:
        """The choice as a wish; UserError where a file is to be trained and none is there."""
        if source == "upload" and not upload:
            raise UserError("No file was uploaded; upload one.", key="run_no_upload")
        *numbers, targets, faults = settings
        named = dict(zip(SAID, numbers, strict=True))
        path = Path(upload) if source == "upload" else None
        return Wish(**named, targets=tuple(targets), faults=tuple(faults), upload=path)

    def preview(self, language: str, *choice: Any) -> str:
        """What would be trained, or what is wrong with it."""
        try:
            wish = self.read_wish(*choice)
            found = preview(self.engine, self.runs.make_recipe(wish), wish, self.runs.limits)
        except UserError as error:
            return _explain(error, language)
        return views.format_preview(found, language=language)

    def start(self, reader: str, language: str, *choice: Any) -> list:
        """Check the choice as the preview does, put the run into the queue, and show how it stands; a problem stands in the preview's place."""
        try:
            wish = self.read_wish(*choice)
            preview(self.engine, self.runs.make_recipe(wish), wish, self.runs.limits)
            self.runs.start(check_reader(reader), wish)
        except UserError as error:
            return [_explain(error, language), *self.look(reader, language, None)]
        return ["", *self.look(reader, language, None)]

    def stop(self, reader: str, language: str) -> list:
        """Stop this reader's run."""
        self.runs.stop(check_reader(reader))
        return self.look(reader, language, None)

    def resume(self, reader: str, language: str) -> list:
        """Let it go on."""
        try:
            self.runs.resume(check_reader(reader))
        except UserError as error:
            return [_explain(error, language), *self.look(reader, language, None)]
        return ["", *self.look(reader, language, None)]

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
            gr.skip() if same else _download(run),
            gr.Timer(active=state in BUSY),
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
        parts = [format_batch(rows, pad_id=chat.pad_id, pad_text=pad_text, language=language)]
        for number, row in enumerate(rows, 1):
            title = say("train_batch_row", language, number=number)
            chips = format_tokens(row, language=language, name=f"first-{number}", passport=False, label=title)
            parts.append(f"<h4>{title}</h4>{chips}")
        return "".join(parts)


def check_reader(token: Any) -> str:
    """The reader's token, or nothing where the browser sent what is none."""
    return token if isinstance(token, str) and 16 <= len(token) <= 64 else ""


def show_flags(run: Run | None) -> list[str]:
    """The flags of the run for a terminal, where its places on this machine are other ones."""
    if run is None:
        return []
    places = {"output": "my-adapter"}
    if Path(run.recipe.data).parent == run.folder:
        places["data"] = Path(run.recipe.data).name
    return dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, **places)).flags


def build_runs(
    engine: Engine,
    runs: Runs | str,
    words: Words,
    *,
    reader: gr.BrowserState | None,
    tab: gr.Tab,
    language: gr.Radio,
) -> None:
    """Build the part; where nothing may be trained, `runs` is the text's key that says why and how to switch it on."""
    words.make(gr.Markdown, {"value": "train_intro"})
    if isinstance(runs, str):
        words.make(gr.Markdown, {"value": runs}, elem_id="train-off")
        return
    handlers = RunHandlers(engine, runs)
    choice = _build_choice(runs, words)
    with gr.Row(elem_id="train-buttons"):
        look = words.make(gr.Button, {"value": "train_preview"}, elem_id="train-preview-ask")
        start = words.make(gr.Button, {"value": "train_start"}, variant="primary", elem_id="train-start")
        off = {"interactive": False}
        stop = words.make(gr.Button, {"value": "train_stop"}, variant="stop", elem_id="train-stop", **off)
        resume = words.make(gr.Button, {"value": "train_resume"}, elem_id="train-resume", **off)
        download = words.make(gr.DownloadButton, {"label": "train_download"}, elem_id="train-download", **off)
    seen = gr.HTML(elem_id="train-preview")
    status = words.make(
        gr.HTML,
        {},
        first={"value": lambda to: views.format_progress(None, language=to)},
        elem_id="train-status",
    )
    plot = words.make(gr.LinePlot, {"label": "train_plot"}, elem_id="train-plot", visible=False, **LOOK)
    about = gr.HTML(elem_id="train-about")
    with words.make(gr.Accordion, {"label": "train_batch"}, open=False, elem_id="train-batch"):
        batch = gr.HTML()
    timer, shown = gr.Timer(TICK_SECONDS, active=False), gr.State(None)

    outputs = [status, plot, about, batch, start, stop, resume, download, timer, shown]
    look.click(handlers.preview, [language, *choice], seen, **QUICK)
    start.click(handlers.start, [reader, language, *choice], [seen, *outputs], **QUICK)
    stop.click(handlers.stop, [reader, language], outputs, **QUICK)
    resume.click(handlers.resume, [reader, language], [seen, *outputs], **QUICK)
    gr.on([timer.tick, tab.select, language.change], handlers.look, [reader, language, shown], outputs, **QUICK)


def _build_choice(runs: Runs, words: Words) -> list:
    """The components of a choice, in the order of `RunHandlers`."""
    recipe, limits = runs.base, runs.limits
    names = {
        "label": "train_source",
        "choices": lambda to: [(say(f"train_source_{name}", to), name) for name in SOURCES],
    }
    source = words.make(gr.Radio, names, value="page", elem_id="train-source")
    kinds = [".jsonl", ".json", ".csv", ".parquet"]
    upload = words.make(gr.File, {"label": "train_upload"}, file_types=kinds, visible=False, elem_id="train-upload")
    source.change(lambda chosen: gr.update(visible=chosen == "upload"), source, upload, **QUICK)
    first = {
        "rows": FIRST_ROWS,
        "steps": FIRST_STEPS,
        "rank": recipe.lora_r,
        "alpha": recipe.lora_alpha,
        "learning_rate": recipe.learning_rate,
    }
    most = {"rows": limits.rows, "steps": limits.steps, "rank": limits.rank, "alpha": None, "learning_rate": 1}
    with gr.Row(elem_id="train-numbers"):
        numbers = [
            words.make(
                gr.Number,
                {"label": key},
                value=first[name],
                maximum=most[name],
                step=1 if name != "learning_rate" else 0.0001,
                min_width=100,
                elem_id=key.replace("_", "-"),
            )
            for name, key in SAID.items()
        ]
    layers = find_layers(recipe.model, recipe.lora_targets)
    targets = words.make(
        gr.CheckboxGroup,
        {"label": "train_targets"},
        choices=layers,
        value=list(recipe.lora_targets),
        elem_id="train-targets",
    )
    with words.make(gr.Accordion, {"label": "train_faults_title"}, open=False, elem_id="train-mistakes"):
        said = {"label": "train_faults", "info": "train_faults_note", "choices": _name_faults}
        faults = words.make(gr.CheckboxGroup, said, value=[], elem_id="train-faults")
    return [source, upload, *numbers, targets, faults]


def find_layers(source: str, targets: tuple[str, ...]) -> list[str]:
    """The names of the model's linear layers that usually get an adapter, and the recipe's own."""
    config = read_config(source)
    try:
        shape = lora.measure_shape(lora.read_shape(config), rank=1, alpha=1, targets=LAYERS) if config else None
    except ValueError:  # a kind of model that this transformers has no class for
        shape = None
    found = {target.name for target in shape.targets} if shape else set()
    return [
        *(name for name in LAYERS if name in found or name in targets),
        *(name for name in targets if name not in LAYERS),
    ]


def _name_faults(language: str) -> list[tuple[str, str]]:
    return [(lesson(name, language)["switch"], name) for name in TRAINABLE]


def _download(run: Run | None) -> Any:
    if run is None or run.state != DONE:
        return gr.update(value=None, interactive=False)
    try:
        return gr.update(value=str(run.pack()), interactive=True)
    except UserError:
        return gr.update(value=None, interactive=False)


def _explain(error: UserError, language: str) -> str:
    if error.key == "run_limit":  # the name in the reader's language
        error.values["name"] = say(SAID[error.values["name"]], language)
    return explain(error, language)
