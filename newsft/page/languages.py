"""The page in the language that its address asks for, from the first paint on: `?lang=en`.

Gradio sends one description of the page to everybody, and what arrives in Korean and is translated afterwards is seen in Korean for a second.
Here every language has a description of its own, made of the first one and the updates that the language switch would send.
"""

import copy
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import gradio as gr
from starlette.types import ASGIApp, Receive, Scope, Send

from newsft.page.texts import DEFAULT_LANGUAGE, LANGUAGES

Translation = tuple[gr.blocks.Block, Callable[[str], dict[str, Any]]]  # a component, and language -> the update that says it so


class First(NamedTuple):
    """A translation of what a component holds at first, and is not to come back to when the language is switched."""

    component: gr.blocks.Block
    update: Callable[[str], dict[str, Any]]


_ASKED: ContextVar[str] = ContextVar("asked_language", default=DEFAULT_LANGUAGE)


class TranslatedBlocks(gr.Blocks):
    """A page whose `translations` are applied to the description that a request for another language gets."""

    translations: tuple[Translation, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """Gradio's description of the page, in the language of the request that is being answered."""
        language = _ASKED.get()
        if language == DEFAULT_LANGUAGE or not self.translations:
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
        for component, update in self.translations:
            props[component._id].update({name: value for name, value in update(language).items() if name != "__type__"})
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
