"""The page: header, language switch, one tab per subject."""

from collections.abc import Sequence
from functools import partial
from html import escape
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from newsft import compat
from newsft.data.rows import Split
from newsft.inference.types import Engine
from newsft.lessons.source import Shelf
from newsft.page.languages import LanguageMiddleware, TranslatedBlocks
from newsft.page.middleware import CompressedDocuments, RelativeLinks, SecurityMiddleware, check_frames
from newsft.page.tabs.compare import build_compare_tab
from newsft.page.tabs.evaluation import build_evaluation_tab
from newsft.page.tabs.lab import build_lab_tab
from newsft.page.tabs.run_handlers import name_adapters
from newsft.page.tabs.template import build_template_tab
from newsft.page.tabs.tokens import build_tokens_tab
from newsft.page.tabs.training import build_training_tab
from newsft.page.texts import LANGUAGES, say
from newsft.page.words import Words
from newsft.paths import ASSETS
from newsft.recipe import Recipe
from newsft.runs.runs import Runs
from newsft.runs.wish import Limits

STYLE, SCRIPTS = ASSETS / "style.css", (ASSETS / "page.js", ASSETS / "lesson.js")
LESSON_TABS = {"template": build_template_tab, "tokens": build_tokens_tab, "lab": build_lab_tab}
FONTS = ["Pretendard", "Noto Sans KR", "Noto Sans CJK KR", "Apple SD Gothic Neo", "Malgun Gothic", "sans-serif"]
# Gradio's own greys and blue are too pale on white: a contrast of 1.9 and 3.7 where 4.5 is asked for (WCAG 2.2, 1.4.3).
CONTRAST = {
    "color_accent": "*primary_600",
    "body_text_color_subdued": "*neutral_600",
    "input_placeholder_color": "*neutral_500",
    "button_primary_background_fill": "*primary_600",
    "button_primary_background_fill_hover": "*primary_700",
}
# Run in the browser.
SET_LANGUAGE = "(lang) => { document.documentElement.lang = lang; }"
SET_SIZE = "(size) => { document.querySelector('.gradio-container').style.zoom = size; }"
KEPT_SESSIONS = 300  # sessions whose state Gradio keeps, 0.2 MB each; in an older one a change of language empties the finished comparison
# Seconds: how often Gradio looks, and how old an upload or a download may be, as a run may.
CACHE = (3600, int(Limits().age))
SIZES = ("1", "1.3", "1.7")  # of the whole page; the largest is readable from the back of a room


def build_page(
    engine: Engine,
    *,
    system_prompt: str,
    names: tuple[str, str],
    split: Split,
    recipe: Recipe,
    runs: Runs | str = "train_off_flag",
) -> gr.Blocks:
    """The whole page for one engine.

    `names` are the model's and the adapter's; `split` is the data that the tabs show; `recipe` says where model, adapter and finished evaluation lie.
    `runs` are the trainings that readers start, or the key of the text that says why there are none.
    """
    shelf, words, served = (
        Shelf(split.rows, engine.chat, tests=len(split.test)),
        Words(),
        not engine.capabilities.same_weights,
    )
    with TranslatedBlocks(words, title="newsft", analytics_enabled=False, delete_cache=CACHE) as page:
        language, size = _build_top(words, names, served)
        reader = gr.BrowserState("", storage_key="newsft-reader")  # a run is found again by a page that is loaded anew
        chosen = gr.State(None)  # the conversation of the lesson's tabs: one row can be followed through all of them
        with gr.Tabs(elem_id="tabs"):
            with words.make(gr.Tab, {"label": "tab_compare"}, id="compare") as tab:
                asked = {"page": page, "system_prompt": system_prompt, "rows": split.test}
                asked |= {"reader": reader, "name_own": partial(name_adapters, runs)}
                build_compare_tab(engine, words, **asked, tab=tab, language=language)
            for name, build in LESSON_TABS.items():
                with words.make(gr.Tab, {"label": f"tab_{name}"}, id=name) as tab:
                    build(shelf, words, tab=tab, chosen=chosen, language=language)
            with words.make(gr.Tab, {"label": "tab_training"}, id="training") as tab:
                asked = {"page": page, "system_prompt": system_prompt, "runs": runs, "reader": reader}
                build_training_tab(engine, recipe, split, words, **asked, tab=tab, language=language)
            with words.make(gr.Tab, {"label": "tab_evaluation"}, id="evaluation") as tab:
                build_evaluation_tab(engine, split.test, Path(recipe.evaluation), words, tab=tab, language=language)
        words.follow(language)
        for component, script in ((language, SET_LANGUAGE), (size, SET_SIZE)):
            component.change(None, component, None, js=script, api_visibility="private")
    compat.describe_once(page)
    return page


def _build_top(words: Words, names: tuple[str, str], served: bool) -> tuple[gr.Radio, gr.Radio]:
    """Heading, and the switches of language and size."""
    with gr.Row(elem_id="top"):
        words.make(gr.HTML, {"value": lambda to: _heading(to, names, served)}, elem_id="heading")
        asked = {"value": lambda to: to}  # ?lang=en: a link that a teacher can hand out
        language = words.make(
            gr.Radio,
            {"label": "language"},
            first=asked,
            choices=list(LANGUAGES.items()),
            elem_id="language",
            container=False,
        )
        size = words.make(
            gr.Radio, {"label": "size", "choices": _sizes}, value=SIZES[0], elem_id="size", container=False
        )
    return language, size


def launch_settings(*, frames: Sequence[str] = (), uploads: bool = False) -> dict:
    """What `launch()` gets besides host and port: our style and script, and everything closed that a public page need not open.

    `frames` are further sites that may show the page in a frame; UserError for what is no site's address. `uploads`: readers may send files to train on.
    """
    security = Middleware(SecurityMiddleware, frames=check_frames(frames), uploads=uploads)
    middleware = [security, *map(Middleware, (CompressedDocuments, RelativeLinks, LanguageMiddleware))]
    return {
        "theme": gr.themes.Default(primary_hue="blue", font=FONTS).set(**CONTRAST),
        "css": STYLE.read_text(encoding="utf-8"),
        "head": "".join(f"<script>{script.read_text(encoding='utf-8')}</script>" for script in SCRIPTS),
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "show_error": False,
        "allowed_paths": [],
        "max_file_size": "6mb"
        if uploads
        else "1mb",  # somewhat more than `Limits.upload`, which says itself what is too much
        "state_session_capacity": KEPT_SESSIONS,
        "app_kwargs": {"middleware": middleware},
    }


def _heading(language: str, names: tuple[str, str], served: bool) -> str:
    model, adapter = map(escape, names)
    line = say("model_line_served" if served else "model_line", language, model=model, adapter=adapter)
    return f"<h1>{say('title', language)}</h1><p>{say('intro', language)}</p><p class='model'>{line}</p>"


def _sizes(language: str) -> list[tuple[str, str]]:
    return [(say(f"size_{number}", language), size) for number, size in enumerate(SIZES, 1)]
