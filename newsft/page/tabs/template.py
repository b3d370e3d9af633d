"""The tab 챗 템플릿: the conversation as messages and as the text that the chat template makes of them."""

from functools import partial

import gradio as gr

from newsft.encoding import template
from newsft.encoding.template import respell_template
from newsft.lessons.source import Shelf
from newsft.page.chooser import Chooser, explain, explain_errors
from newsft.page.html import template as views
from newsft.page.texts import say
from newsft.page.words import Words, waiting


@explain_errors()
def show_template(shelf: Shelf, language: str, tokenizer_name: str, *values) -> str:
    """Cards, rendered text and the table of spellings; `values` are the choice, whether the generation prompt is on, and the spelling.

    With the generation prompt the answer is left to the model.
    """
    *choice, generation_prompt, spelling = values
    messages, changes = shelf.messages(*choice)
    chat = shelf.chat(tokenizer_name)
    shown = messages[:-1] if generation_prompt else messages
    pieces = respell_template(
        chat.build_pieces(shown, generation_prompt=generation_prompt), **template.SPELLINGS[spelling]
    )
    stretches = template.link_pieces(chat, pieces)
    spellings = template.compare_spellings(chat, messages, generation_prompt=generation_prompt)
    table = views.format_spellings(spellings, language=language)
    return explain(changes, language) + views.format_template(shown, stretches, language=language) + table


def build_template_tab(shelf: Shelf, words: Words, *, tab: gr.Tab, chosen: gr.State, language: gr.Radio) -> None:
    """Build the tab."""
    words.make(gr.Markdown, {"value": "template_intro"})
    chooser = Chooser(shelf, words, name="template")
    with gr.Row(elem_classes="chooser"):
        said = {"label": "generation_prompt", "info": "generation_prompt_note"}
        generation = words.make(gr.Checkbox, said, value=False, elem_id="generation-prompt")
        spelling = words.make(
            gr.Radio, {"label": "spellings", "choices": _spellings}, value="official", elem_id="spelling"
        )
    shown = words.make(gr.HTML, {}, first={"value": waiting("loading_tokenizer")}, elem_id="template")
    show, more = partial(show_template, shelf), [generation, spelling]
    chooser.on_change(show, more, [shown], tab=tab, chosen=chosen, language=language)


def _spellings(language: str) -> list[tuple[str, str]]:
    return [(say(f"spelling_{name}", language), name) for name in template.SPELLINGS]
