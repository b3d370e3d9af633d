"""A served model in the place of the local engine: two names behind one OpenAI-compatible chat endpoint.

vLLM, llama.cpp's server, `transformers serve` and others speak it. The server renders the chat template and keeps the weights, so
what only the weights can tell (logits, the X-ray) is not to be had from here.
"""

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import openai

from newsft.encoding.chat import ChatFormat
from newsft.encoding.llama3 import llama3_chat
from newsft.errors import UserError
from newsft.inference.engine import encode_news
from newsft.inference.types import ABORT, LENGTH, SIDES, STOP, AnswerStream, Capabilities, Comparison, ModelInfo, Prompt, Request
from newsft.models.load import load_chat
from newsft.models.run_record import read_run
from newsft.recipe import Recipe

CONNECT_SECONDS, SILENT_SECONDS = 10.0, 120.0  # until the server answers at all, and between two pieces of an answer
REASONS = {"stop": STOP, "length": LENGTH}


def connect(url: str, names: dict[str, str], recipe: Recipe) -> "RemoteEngine":
    """The engine for the models `names` behind `url`, checked to be there.

    The tabs show the tokenizer of the recipe's model where it can be had without its weights, else Llama 3's own; the system prompt
    comes from the recipe's adapter, where that folder is there.
    """
    folder = Path(recipe.model)
    chat = load_chat(folder) if folder.is_dir() else llama3_chat()
    run = read_run(Path(recipe.adapter)) if Path(recipe.adapter).is_dir() else None
    engine = RemoteEngine(url, names, chat, run, max_new_tokens=recipe.max_new_tokens)
    engine.check_server()
    return engine


class RemoteEngine:
    """Compares two served models; safe for threads, as the server is the one that shares its model.

    `names` maps a side to the name that the server knows; `chat` is what the page's tabs show, `run` what training wrote beside the adapter.
    """

    sides, capabilities = SIDES, Capabilities()
    stop_ids: dict[int, list[str]] = {}  # noqa: RUF012 - the server's, and not told

    def __init__(self, url: str, names: dict[str, str], chat: ChatFormat, run: dict | None, *, max_new_tokens: int):
        self.url, self.names, self.chat, self.max_new_tokens = url, names, chat, max_new_tokens
        self.models, self.adapters = ModelInfo(f"server {url}", run=run), dict(names)
        self.decoding = {"method": "greedy", "max_new_tokens": max_new_tokens, "server": url}  # as far as it is known here
        self._client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=openai.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS))
        self._askers, self._lock = 0, threading.Lock()

    @property
    def askers(self) -> int:
        """How many comparisons are being answered."""
        return self._askers

    def check_server(self) -> None:
        """Raise UserError where nobody answers at the address."""
        try:
            self._client.models.list()
        except openai.APIStatusError:
            return  # a server that does not list its models may still answer
        except openai.OpenAIError as error:
            raise UserError(f"No server answers at {self.url} ({type(error).__name__}); start it, or correct --server (it ends in /v1 for most servers).") from error

    def encode(self, news: str, *, system_prompt: str) -> Prompt:
        """The prompt as our own encoding writes it; the server gets the messages. Raises UserError for empty or over-long input."""
        return encode_news(self.chat, news, system_prompt=system_prompt)

    def compare(self, news: str, *, system_prompt: str, stop: threading.Event | None = None) -> Iterator[Comparison]:
        """Both answers as they grow: one Comparison, yielded again with every piece, done when each answer has its reason.

        Raises UserError for what the server refuses and RuntimeError where it fails or falls silent.
        """
        prompt, stop = self.encode(news, system_prompt=system_prompt), stop or threading.Event()
        comparison = Comparison(prompt, {side: Request(prompt.ids, side, prompt.shared) for side in SIDES}, {side: AnswerStream() for side in SIDES})
        pieces: queue.SimpleQueue = queue.SimpleQueue()
        begun = time.monotonic()
        readers = [threading.Thread(target=self._read, args=(side, prompt, pieces, stop), daemon=True) for side in SIDES]
        with self._lock:
            self._askers += 1
        try:
            for reader in readers:
                reader.start()
            while not comparison.done:
                alive = any(reader.is_alive() for reader in readers)
                self._take(comparison, pieces, stop, time.monotonic() - begun)
                if not alive and pieces.empty() and not comparison.done:
                    raise RuntimeError("The threads that read from the server have died.")
                yield comparison
        finally:
            stop.set()
            with self._lock:
                self._askers -= 1

    def _take(self, comparison: Comparison, pieces: queue.SimpleQueue, stop: threading.Event, seconds: float) -> None:
        if stop.is_set():
            for answer in comparison.answers.values():
                answer.reason = answer.reason or ABORT
            return
        try:
            side, piece, reason = pieces.get(timeout=0.2)  # often enough to notice a stop
        except queue.Empty:
            return
        if isinstance(piece, Exception):
            raise piece
        answer = comparison.answers[side]
        answer.text, answer.tokens, answer.seconds, answer.reason = answer.text + piece, answer.tokens + bool(piece), seconds, reason

    def _read(self, side: str, prompt: Prompt, pieces: queue.SimpleQueue, stop: threading.Event) -> None:
        """One side's answer, piece by piece, into the queue."""
        try:
            settings = {"model": self.names[side], "messages": prompt.messages, "temperature": 0.0, "max_tokens": self.max_new_tokens}
            with self._client.chat.completions.create(stream=True, **settings) as stream:
                for chunk in stream:
                    if stop.is_set():
                        return
                    for choice in chunk.choices[:1]:
                        reason = choice.finish_reason and REASONS.get(choice.finish_reason, choice.finish_reason)
                        pieces.put((side, choice.delta.content or "", reason))
                        if reason:
                            return
            raise RuntimeError(f"The server ended {side}'s answer without a reason.")
        except openai.APIStatusError as error:
            pieces.put((side, UserError(f"The server refused {self.names[side]}: {error.message}", key="server_refused", said=error.message), None))
        except (openai.OpenAIError, OSError, ValueError, RuntimeError) as error:
            pieces.put((side, RuntimeError(f"The server at {self.url} failed while answering: {error}"), None))
