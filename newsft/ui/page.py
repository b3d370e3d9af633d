"""The page: header, language switch, one tab per subject."""

from dataclasses import dataclass
from html import escape

import gradio as gr

from newsft.engine import Engine
from newsft.recipe import ASSETS
from newsft.texts import DEFAULT_LANGUAGE, LANGUAGES, say
from newsft.ui.compare import build_compare_tab

STYLE, SCRIPT = ASSETS / "style.css", ASSETS / "page.js"


@dataclass
class Translation:
    """A component and how to say it in a language: the arguments of the update that the language switch sends."""

    component: gr.components.Component
    update: callable


def build_page(engine: Engine, *, system_prompt: str, names: tuple[str, str]) -> gr.Blocks:
    """The whole page for one engine. `names` are the model's and the adapter's; nothing is loaded here."""
    with gr.Blocks(title="newsft", analytics_enabled=False) as page:
        with gr.Row(elem_id="top"):
            heading = gr.HTML(_heading(DEFAULT_LANGUAGE, names), elem_id="heading")
            language = gr.Radio(list(LANGUAGES.items()), value=DEFAULT_LANGUAGE, label=say("language", DEFAULT_LANGUAGE), elem_id="language", container=False)
        with gr.Tabs(elem_id="tabs"), gr.Tab(say("tab_compare", DEFAULT_LANGUAGE), id="compare") as tab:
            translations = build_compare_tab(engine, language=language, system_prompt=system_prompt)
        translations = [
            Translation(heading, lambda lang: gr.update(value=_heading(lang, names))),
            Translation(tab, lambda lang: gr.update(label=say("tab_compare", lang))),
            *[Translation(component, update) for component, update in translations],
        ]

        def translate(chosen: str):
            return [translation.update(chosen) for translation in translations]

        outputs = [translation.component for translation in translations]
        language.change(translate, language, outputs, queue=False, show_progress="hidden", api_visibility="private")
        language.change(None, language, None, js="(lang) => { document.documentElement.lang = lang; }", api_visibility="private")
        # ?lang=en opens the page in English: a link that a teacher can hand out.
        page.load(_asked_language, None, language, queue=False, show_progress="hidden", api_visibility="private")
    return page


def launch_settings() -> dict:
    """What `launch()` gets besides host and port: our style and script, and everything closed that a public page need not open."""
    return {
        "theme": gr.themes.Default(primary_hue="blue", font=["Pretendard", "Noto Sans KR", "Noto Sans CJK KR", "Apple SD Gothic Neo", "Malgun Gothic", "sans-serif"]),
        "css": STYLE.read_text(encoding="utf-8"),
        "head": f"<script>{SCRIPT.read_text(encoding='utf-8')}</script>",
        "ssr_mode": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "show_error": False,
        "allowed_paths": [],
        "max_file_size": "1mb",
    }


def _heading(language: str, names: tuple[str, str]) -> str:
    model, adapter = map(escape, names)
    line = say("model_line", language, model=model, adapter=adapter)
    return f"<h1>{say('title', language)}</h1><p>{say('intro', language)}</p><p class='model'>{line}</p>"


def _asked_language(request: gr.Request) -> str:
    asked = request.query_params.get("lang", DEFAULT_LANGUAGE)
    return asked if asked in LANGUAGES.values() else DEFAULT_LANGUAGE
