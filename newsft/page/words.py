"""Components with words in them, which follow the language switch."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import gradio as gr
from gradio.blocks import Block

from newsft.page.texts import DEFAULT_LANGUAGE, say

# Of an event that costs next to nothing.
QUICK = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

Said = str | Callable[[str], Any]  # a text's key, or language -> words


class _Made(NamedTuple):
    component: Block
    said: dict[str, Said]
    first: dict[str, Said]


class Words:
    """Makes components in the page's first language, and says their words again when the reader changes it."""

    def __init__(self):
        self._made: list[_Made] = []

    def make(self, kind: type, said: dict[str, Said], *, first: dict[str, Said] | None = None, **settings) -> Any:
        """A component of this kind; `said` has the words by the property that shows them, such as {"label": "news"}.

        `first` has words that are said when the page opens, and afterwards by other events than the switch of the language.
        """
        first = first or {}
        component = kind(**_say(said | first, DEFAULT_LANGUAGE), **settings)
        self._made.append(_Made(component, said, first))
        return component

    def say_first(self, language: str) -> Iterator[tuple[Block, dict[str, Any]]]:
        """Every component with its words as a page that opens in this language has them."""
        return ((component, _say(said | first, language)) for component, said, first in self._made)

    def follow(self, language: gr.Radio) -> None:
        """Once all is made: change the words whenever the language changes."""
        made = [one for one in self._made if one.said]
        components = [one.component for one in made]
        language.change(lambda to: [gr.update(**_say(one.said, to)) for one in made], language, components, **QUICK)


def waiting(key: str) -> Callable[[str], str]:
    """A line that stands in a place until what belongs there has come."""
    return lambda language: f'<p class="waiting">{say(key, language)}</p>'


def _say(said: dict[str, Said], language: str) -> dict[str, Any]:
    return {name: what(language) if callable(what) else say(what, language) for name, what in said.items()}
