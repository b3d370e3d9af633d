"""The page as files -> HTML: a shell with a tab per subject, whose panels page script fills from the files beside it."""

import json
from collections.abc import Sequence
from html import escape

from newsft.page.html.table import format_table
from newsft.page.texts import LANGUAGES, say

TABS = ("compare", "template", "tokens", "lab", "evaluation")
FILES = {"ko": "index.html", "en": "en.html"}
# Nothing of another host. The files beside the page are scripts too: a browser lets a page that it opened from the disk read no others.
POLICY = "default-src 'none'; script-src 'self' file: 'unsafe-inline'; script-src-attr 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

Choice = tuple[str, str]  # the number or name that page script asks for, and how it is called


def format_page(
    panels: dict[str, str], facts: dict, *, model_line: str, style: str, scripts: Sequence[str], language: str
) -> str:
    """One file of the folder: the tabs' panels, and what page script has to know as JSON. `model_line`, `style` and `scripts` stand in it as they are."""
    words = {name: say(f"static_{name}", language) for name in ("found", "failed")}
    buttons = "".join(
        f'<button type="button" role="tab" id="tab-{name}" aria-controls="panel-{name}">{say(f"tab_{name}", language)}</button>'
        for name in TABS
    )
    bodies = "".join(
        f'<section role="tabpanel" id="panel-{name}" aria-labelledby="tab-{name}" hidden>{panels[name]}</section>'
        for name in TABS
    )
    others = "".join(
        f'<a href="{FILES[code]}" lang="{code}" hreflang="{code}">{name}</a>'
        for name, code in LANGUAGES.items()
        if code != language
    )
    told = json.dumps({"words": words} | facts, ensure_ascii=False).replace("<", "\\u003c")
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>newsft</title><style>{style}</style></head>'
        f'<body class="gradio-container"><header id="top"><div id="heading"><h1>{say("title", language)}</h1>{model_line}</div><nav>{others}</nav></header>'
        f'<p>{say("static_intro", language, **facts["counts"])}</p><details id="live"><summary>{say("static_live", language)}</summary><p>{say("static_live_list", language)}</p></details>'
        f'<div role="tablist">{buttons}</div><main>{bodies}</main>'
        f'<script type="application/json" id="facts">{told}</script>{"".join(f"<script>{script}</script>" for script in scripts)}</body></html>\n'
    )


def format_answers_panel(lines: Sequence[Sequence], filters: Sequence[str], *, language: str) -> str:
    """Search, filter and list of everything that has answers; `lines` are the list's: how it is called, then the cells."""
    options = "".join(f'<option value="{name}">{say(f"filter_{name}", language)}</option>' for name in filters)
    heads = [
        say(f"column_{name}", language)
        for name in ("row", "article", "kind", "base_score", "tuned_score", "gain", "read")
    ]
    rows = [
        [
            f'<button type="button" data-entry="{number}">{escape(str(name))}</button>',
            *("–" if cell is None else escape(str(cell)) for cell in cells),
        ]
        for number, (name, *cells) in enumerate(lines)
    ]
    return (
        f'<div class="bar"><label>{say("static_search", language)} <input type="search" id="query"></label>'
        f'<label>{say("filter", language)} <select id="filter">{options}</select></label><span id="count" role="status"></span></div>'
        f'<div id="list">{format_table(heads, rows, kind="list", label=say("row_list", language))}</div><div id="opened" aria-live="polite"></div>'
    )


def format_row_panel(name: str, intro: str, *, last: int, train: int, language: str) -> str:
    """A lesson tab: which conversation, and the place where it is shown."""
    label = say("static_row", language, last=last, train=train)
    return (
        f'<p>{intro}</p><div class="bar"><label>{label} <input type="number" class="row" min="0" max="{last}"></label>'
        f'<button type="button" data-step="-1">{say("static_previous", language)}</button><button type="button" data-step="1">{say("static_next", language)}</button>'
        f'<button type="button" data-toy>{say("source_toy", language)}</button>'
        f'<label>{say("static_find", language)} <input type="search" class="find"></label></div><div id="{name}"></div>'
    )


def format_lab_panel(
    conversations: Sequence[Choice], faults: Sequence[Choice], trainers: Sequence[Choice], *, language: str
) -> str:
    """The lab: one fault on one conversation, and below it one trainer on the short example."""
    return (
        f'<p>{say("static_lab_intro", language)}</p><div class="bar">{_select("lab-conversation", "source", conversations, language)}'
        f'{_select("lab-fault", "lab_switches", faults, language)}</div><div id="pair"></div>'
        f'<h3>{say("static_trainers", language)}</h3><div class="bar">{_select("trainer-key", "trainer_name", trainers, language)}</div><div id="trainer-rows"></div>'
    )


def format_markdown(text: str) -> str:
    """The page's own texts, whose only Markdown within a paragraph is **strong** and `code`."""
    for mark, tag in (("**", "strong"), ("`", "code")):
        parts = text.split(mark)
        text = "".join(f"<{tag}>{part}</{tag}>" if number % 2 else part for number, part in enumerate(parts))
    return text


def _select(name: str, label: str, choices: Sequence[Choice], language: str) -> str:
    options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in choices)
    return f'<label>{say(label, language)} <select id="{name}">{options}</select></label>'
