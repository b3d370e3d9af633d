"""The tab 챗 템플릿: the conversation as messages and as the text that the chat template makes of them."""

import gradio as gr

from newsft.encoding import template
from newsft.encoding.template import respell_template
from newsft.errors import UserError
from newsft.lessons.source import Shelf
from newsft.page.chooser import Chooser, explain
from newsft.page.html import template as views
from newsft.page.languages import First
from newsft.page.texts import DEFAULT_LANGUAGE, say


def show_template(shelf: Shelf, language: str, tokenizer_name: str, source: str, number: float, system: str, user: str, answer: str, generation_prompt: bool, spelling: str) -> str:
    """Cards, rendered text and the table of spellings. With the generation prompt the answer is left to the model."""
    try:
        messages, changes = shelf.messages(source, number, system, user, answer)
        chat = shelf.chat(tokenizer_name)
        shown = messages[:-1] if generation_prompt else messages
        pieces = respell_template(chat.build_pieces(shown, generation_prompt=generation_prompt), **template.SPELLINGS[spelling])
        stretches = template.link_pieces(chat, pieces)
        spellings = template.compare_spellings(chat, messages, generation_prompt=generation_prompt)
    except UserError as error:
        return explain(error, language)
    return explain(changes, language) + views.format_template(shown, stretches, language=language) + views.format_spellings(spellings, language=language)


def build_template_tab(shelf: Shelf, *, tab: gr.Tab, chosen: gr.State, language: gr.Radio) -> list[tuple]:
    """Build the tab; returns (component, language -> update) as every tab does."""
    lang = DEFAULT_LANGUAGE
    intro = gr.Markdown(say("template_intro", lang))
    chooser = Chooser(shelf, name="template")
    with gr.Row(elem_classes="chooser"):
        generation = gr.Checkbox(False, label=say("generation_prompt", lang), info=say("generation_prompt_note", lang), elem_id="generation-prompt")
        spelling = gr.Radio(_spellings(lang), value="official", label=say("spellings", lang), elem_id="spelling")
    shown = gr.HTML(f'<p class="waiting">{say("loading_tokenizer", lang)}</p>', elem_id="template")
    chooser.on_change(lambda *values: show_template(shelf, *values), [generation, spelling], [shown], tab=tab, chosen=chosen, language=language)
    return [
        First(shown, lambda to: gr.update(value=f'<p class="waiting">{say("loading_tokenizer", to)}</p>')),
        (intro, lambda to: gr.update(value=say("template_intro", to))),
        (generation, lambda to: gr.update(label=say("generation_prompt", to), info=say("generation_prompt_note", to))),
        (spelling, lambda to: gr.update(label=say("spellings", to), choices=_spellings(to))),
        *chooser.translations,
    ]


def _spellings(language: str) -> list[tuple[str, str]]:
    return [(say(f"spelling_{name}", language), name) for name in template.SPELLINGS]
