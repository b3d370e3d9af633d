"""The part 직접 학습하기 of the tab 학습: a run of one's own, from the choice of rows to the finished adapter."""

import gradio as gr

from newsft.inference.types import Engine
from newsft.lessons.faults import TRAINABLE
from newsft.models import lora
from newsft.models.hub import read_config
from newsft.page.html import runs as views
from newsft.page.tabs.history import LOOK
from newsft.page.tabs.run_handlers import SAID, RunHandlers, say_found
from newsft.page.texts import lesson, say
from newsft.page.words import QUICK, Words
from newsft.recipe import LINEAR
from newsft.runs.runs import Runs

TICK_SECONDS = 1.5  # between two looks at the journal
SOURCES = ("page", "upload")
FIRST_ROWS, FIRST_STEPS = 40, 20


def build_runs(
    engine: Engine,
    runs: Runs | str,
    words: Words,
    *,
    reader: gr.BrowserState,
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
    seen, found = gr.HTML(elem_id="train-preview"), gr.State(None)
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
    _, upload, rows, *_ = choice
    upload.change(handlers.fit_rows, [upload, rows], rows, **QUICK)
    look.click(handlers.preview, [language, *choice], [seen, found], **QUICK)
    language.change(say_found, [language, found], seen, **QUICK)
    start.click(handlers.start, [reader, language, *choice], [reader, seen, found, *outputs], **QUICK)
    stop.click(handlers.stop, [reader, language], outputs, **QUICK)
    resume.click(handlers.resume, [reader, language], [seen, found, *outputs], **QUICK)
    timer.tick(handlers.tick, [reader, language, shown], outputs, **QUICK)
    gr.on([tab.select, language.change], handlers.look, [reader, language, shown], outputs, **QUICK)


def _build_choice(runs: Runs, words: Words) -> list:
    """The components of a choice, in the order of `RunHandlers`."""
    recipe = runs.base
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
    with gr.Row(elem_id="train-numbers"):
        numbers = [
            words.make(
                gr.Number,
                {"label": key},
                value=first[name],
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
        shape = lora.measure_shape(lora.read_shape(config), rank=1, alpha=1, targets=LINEAR) if config else None
    except ValueError:  # a kind of model that this transformers has no class for
        shape = None
    found = {target.name for target in shape.targets} if shape else set()
    return [
        *(name for name in LINEAR if name in found or name in targets),
        *(name for name in targets if name not in LINEAR),
    ]


def _name_faults(language: str) -> list[tuple[str, str]]:
    return [(lesson(name, language)["switch"], name) for name in TRAINABLE]
