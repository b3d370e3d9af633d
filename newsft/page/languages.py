"""The page in the language that its address asks for, from the first paint on: `?lang=en`.

Gradio sends one description of the page to everybody, and what arrives in Korean and is translated afterwards is seen in Korean for a second.
Here every language has a description of its own, made of the first one and the words that its components have in that language.
"""

import copy
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
from starlette.types import ASGIApp, Receive, Scope, Send

from newsft.page.texts import DEFAULT_LANGUAGE, LANGUAGES
from newsft.page.words import Words

_ASKED: ContextVar[str] = ContextVar("asked_language", default=DEFAULT_LANGUAGE)


class TranslatedBlocks(gr.Blocks):
    """A page whose description is in the language that a request asks for, as far as its components are made with these words."""

    def __init__(self, words: Words, **settings):
        self._words = words
        super().__init__(**settings)

    @property
    def config(self) -> dict[str, Any]:
        """Gradio's description of the page, in the language of the request that is being answered."""
        language = _ASKED.get()
        if language == DEFAULT_LANGUAGE:
            return self._config
        if language not in self._translated:
            self._translated[language] = self._translate(language)
        return self._translated[language]

    @config.setter
    def config(self, config: dict[str, Any]) -> None:
        self._config, self._translated = config, {}

    def _translate(self, language: str) -> dict[str, Any]:
        config = copy.deepcopy(self._config)
        props = {component["id"]: component["props"] for component in config["components"]}
        for component, words in self._words.say_first(language):
            props[component._id].update(words)
        return config


class LanguageMiddleware:
    """The ASGI middleware that reads `?lang=`; unknown languages are the default one."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its language known to whatever answers it."""
        if scope["type"] == "http":
            asked = parse_qs(scope["query_string"].decode("latin-1")).get("lang", [DEFAULT_LANGUAGE])[-1]
            _ASKED.set(asked if asked in LANGUAGES.values() else DEFAULT_LANGUAGE)
        await self.app(scope, receive, send)
