"""Readers of a page without browsers: each is a session that does over HTTP what the page's own script does."""

import asyncio
import html
import json
import re
import secrets
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

SECONDS = 300.0  # without a word from the page, until a reader gives up


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What the coroutine returns; in a thread of its own, as Playwright leaves a running event loop in the one that once started a browser."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@dataclass
class Answered:
    """What a reader saw of a comparison."""

    places: list[int] = field(default_factory=list)  # in the queue, counted from 1, as they were told
    first: float | None = None  # seconds from the press to the first text
    done: float | None = None  # seconds from the press to both complete answers
    columns: list[str] = field(default_factory=list)  # HTML of both sides and the footer
    warnings: list[str] = field(default_factory=list)
    refused: str = ""

    @property
    def texts(self) -> list[str]:
        """What both models wrote."""
        return [
            html.unescape(found[1])
            for column in self.columns[:2]
            if (found := re.search(r'<div class="raw"[^>]*>(.*?)</div>', column, re.DOTALL))
        ]


OPENED = {
    f"{tab}-opened": 1 for tab in ("template", "tokens", "lab")
}  # a reader who chooses something in a lesson tab has opened it


class Site:
    """The functions of a page, as its configuration tells them to the browser."""

    def __init__(self, url: str):
        self.url, config = url, httpx.get(f"{url}/config", timeout=SECONDS).json()
        self._components = {component["id"]: component["props"] for component in config["components"]}
        self._events: dict[tuple, list[dict]] = {}
        for event in config["dependencies"]:
            for number, trigger in event["targets"]:
                name = self._components[number].get("elem_id") if number in self._components else None
                self._events.setdefault((name, trigger), []).append(event)
            self._events.setdefault((event["api_name"], "name"), []).append(event)

    def body(self, name: str, trigger: str, values: dict[str, Any], session: str) -> dict:
        """The request that a component's event makes; `values` replaces what the components hold, by their names (elem_id)."""
        event = self._events[name, trigger][0 if name else -1]  # of the nameless clocks the training's is the last
        values = OPENED | values
        held = [self._components[number] for number in event["inputs"]]
        return {
            "data": [
                values.get(component.get("elem_id") or component.get("storage_key"), component.get("value"))
                for component in held
            ],
            "fn_index": event["id"],
            "session_hash": session,
        }


class Reader:
    """One browser tab. Leaving the context closes its connections, as closing the tab does."""

    def __init__(self, site: Site):
        self.site, self.session = site, secrets.token_hex(6)
        limits = httpx.Limits(
            keepalive_expiry=2
        )  # the server closes idle connections after five seconds; a browser asks again where it meets one, httpx does not
        self.client = httpx.AsyncClient(
            base_url=f"{site.url}/gradio_api", timeout=SECONDS, limits=limits, verify=False
        )  # loading certificates takes longer than a request

    async def __aenter__(self) -> "Reader":
        self._pulse = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_) -> None:
        self._pulse.cancel()
        await asyncio.gather(self._pulse, return_exceptions=True)
        await self.client.aclose()

    async def _beat(self) -> None:
        async with self.client.stream("GET", f"/heartbeat/{self.session}") as pulse:
            async for _ in pulse.aiter_lines():
                pass

    async def call(self, name: str, trigger: str, **values: Any) -> list:
        """What an event answers that does not go through the queue. Raises httpx.HTTPStatusError where it fails."""
        response = await self._post("/run/predict", name, trigger, values)
        response.raise_for_status()
        return response.json()["data"]

    async def _post(self, route: str, name: str, trigger: str, values: dict[str, Any]) -> httpx.Response:
        # A browser's JSON writes lone surrogates as escapes; httpx's own cannot send them.
        body = json.dumps(self.site.body(name, trigger, values, self.session))
        return await self.client.post(route, content=body, headers={"Content-Type": "application/json"})

    async def listen(self) -> AsyncIterator[dict]:
        """The messages of the queue to this reader, until it has nothing more to say."""
        async with self.client.stream("GET", "/queue/data", params={"session_hash": self.session}) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))

    async def press(self, article: str) -> Answered | None:
        """Press 비교: what the page does before it listens; an Answered where it is refused."""
        try:
            await self.call("compare", "click")
        except httpx.HTTPStatusError as error:
            return Answered(refused=error.response.json()["error"])
        joined = await self._post("/queue/join", "run", "name", {"news": article})
        return None if joined.is_success else Answered(refused=joined.json()["detail"])

    async def compare(self, article: str) -> Answered:
        """A comparison from the press to its end."""
        begun = asyncio.get_running_loop().time()
        answered = await self.press(article)
        if answered:
            return answered
        answered = Answered()
        async for message in self.listen():
            passed = asyncio.get_running_loop().time() - begun
            match message["msg"]:
                case "estimation":
                    answered.places.append(message["rank"] + 1)
                case "log":
                    answered.warnings.append(message["log"])
                case "process_generating":
                    answered.first = answered.first or passed
                case "process_completed" if message["success"]:
                    answered.done, answered.columns = passed, message["output"]["data"][:3]
                case "process_completed":
                    answered.refused = str(message["output"].get("error"))
        return answered

    async def train(self, **values: Any) -> str:
        """A training from the press of 학습 시작 to its end; what the page says then, as HTML."""
        token, problem, said, *_ = await self.call("train-start", "click", **values)
        while not problem:
            await asyncio.sleep(1)
            said, *rest = await self.call(None, "tick", **{"newsft-reader": token})
            stop = rest[4]
            if not stop["interactive"]:
                return said
        return problem
