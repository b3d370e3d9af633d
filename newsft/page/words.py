"""Components with words in them, which follow the language switch."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.blocks import Block

from newsft.page.texts import DEFAULT_LANGUAGE, say

# Of an event that costs next to nothing.
QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

Said = str | Callable[[str], Any]  # a text's key, or language -> words


class Words:
    """Makes components in the page's first language, and says their words again when the reader changes it."""

    def __init__(self):
        self._made: list[tuple[Block, Callable[[str], dict]]] = []

    def make(self, kind: type, said: dict[str, Said], **settings) -> Any:
        """A component of this kind; `said` has the words by the property that shows them, such as {"label": "news"}."""

        def words(language: str) -> dict:
            return {name: what(language) if callable(what) else say(what, language) for name, what in said.items()}

        component = kind(**words(DEFAULT_LANGUAGE), **settings)
        self._made.append((component, words))
        return component

    def follow(self, language: gr.Radio) -> None:
        """Once all is made: change the words whenever the language changes."""
        components = [component for component, _ in self._made]
        language.change(lambda to: [gr.update(**words(to)) for _, words in self._made], language, components, **QUICK)
