"""Served models in the place of the local engine: two names behind one OpenAI-compatible server.

vLLM, llama.cpp's server, `transformers serve` and others speak its API. The server keeps the weights, so what only the weights can tell
(logits, the X-ray) is not to be had from here; `endpoint` has how it is asked.
"""

import queue
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from newsft.encoding.chat import ChatFormat
from newsft.encoding.llama3 import llama3_chat
from newsft.errors import UserError
from newsft.inference.endpoint import LONGEST_SILENCE, Chunk, Endpoint, silent
from newsft.inference.engine import encode_news
from newsft.inference.types import (
    ABORT,
    FAILED,
    LENGTH,
    SIDES,
    STOP,
    AnswerStream,
    Capabilities,
    Comparison,
    ModelInfo,
    Prompt,
    Request,
)
from newsft.models.adapter_info import unknown_adapter
from newsft.models.hub import read_config
from newsft.models.load import load_chat, on_day_of
from newsft.models.run_record import read_run
from newsft.recipe import Recipe

STALL_SECONDS = 15.0  # without a token, before the page says so: in the middle of an answer it ends, before its first token it is looked after
TRIED_TOKENS = 24  # of an answer at the start: enough for both models to be in one batch
COUNT_SECONDS = 1.0  # that an ended answer waits for the server's counts
Event = Chunk | UserError | None  # None: the stream is over


def connect(url: str, names: dict[str, str], recipe: Recipe) -> "RemoteEngine":
    """The engine for the models `names` behind `url`, checked to be there.

    The tabs show the tokenizer of the recipe's model where it can be had without its weights, else Llama 3's own; the system prompt
    comes from the recipe's adapter, where that folder is there.
    """
    folder = Path(recipe.model)
    run = read_run(Path(recipe.adapter)) if Path(recipe.adapter).is_dir() else None
    chat = on_day_of(load_chat(folder) if folder.is_dir() else llama3_chat(), run)
    return RemoteEngine(
        url,
        names,
        chat,
        run,
        max_new_tokens=recipe.max_new_tokens,
        positions=read_config(recipe.model).get("max_position_embeddings"),
    )


@dataclass
class _Answering:
    """One comparison while its two readers fill the queue."""

    comparison: Comparison
    stop: threading.Event
    events: queue.SimpleQueue = field(default_factory=queue.SimpleQueue)
    begun: float = field(default_factory=time.monotonic)
    heard: dict[str, float] = field(default_factory=dict)  # side -> when its server last sent something
    looked: dict[str, float] = field(default_factory=dict)  # side -> when its server was last looked after
    reasons: dict[str, str] = field(default_factory=dict)  # of sides whose server may still send its counts


class RemoteEngine:
    """Compares two served models; safe for threads, as the server is the one that shares its model.

    `names` maps a side to the name that the server knows; `chat` makes the prompts and is what the page's tabs show; `run` is what training
    wrote beside the adapter; `positions` is how many tokens the model takes, where the server does not say. Raises UserError for equal
    names, for a server that is not there, and for one that has not got the models.
    """

    sides, capabilities, adapters = SIDES, Capabilities(), ()

    def __init__(
        self,
        url: str,
        names: dict[str, str],
        chat: ChatFormat,
        run: dict | None,
        *,
        max_new_tokens: int,
        positions: int | None = None,
    ):
        if len(set(names.values())) < len(names):
            raise UserError(
                f"--base-model and --tuned-model are both {names[SIDES[0]]}, so both columns would show one model; give the names of two."
            )
        self.served, self.chat, self.max_new_tokens = names, chat, max_new_tokens
        self.endpoint = Endpoint(url)
        self.url = self.endpoint.address
        listed = self.endpoint.list_models()
        for name in names.values():
            self.endpoint.check_name(name, listed)
        # As in `models.load.stop_ids`, without the model's own configs, which the server follows by itself.
        stops = {"template": chat.end_id, "tokenizer": chat.tokenizer.eos_token_id}
        sent = list(dict.fromkeys(token for token in stops.values() if token is not None))
        self._dialects = {side: self.endpoint.find_dialect(name, chat, sent) for side, name in names.items()}
        told = all(dialect.told_stops for dialect in self._dialects.values())
        self.stop_ids = (
            {token: [source for source, one in stops.items() if one == token] for token in sent} if told else {}
        )
        self.takes_ids = all(dialect.takes_ids for dialect in self._dialects.values())
        for name in names.values() if self.takes_ids else ():
            self.endpoint.check_tokenizer(name, chat)
        self.models = ModelInfo(f"server {self.url}: {self._describe()}", run=run, mixed=self._mixes(run))
        self.decoding = self._describe_decoding()
        known = [_told_positions((listed or {}).get(name, {})) for name in names.values()] + [positions]
        self.positions = min((count for count in known if count), default=None)
        if self.positions is not None and self.positions <= max_new_tokens:
            raise UserError(
                f"The server's models take {self.positions:,} tokens, and --max-new-tokens alone is {max_new_tokens:,}; give fewer, or start the server with more."
            )
        self._askers, self._lock = 0, threading.Lock()

    @property
    def askers(self) -> int:
        """How many comparisons are being answered."""
        return self._askers

    def encode(self, news: str, *, system_prompt: str) -> Prompt:
        """The prompt as our own encoding writes it. Raises UserError for empty or over-long input."""
        return encode_news(
            self.chat,
            news,
            system_prompt=system_prompt,
            room=None if self.positions is None else self.positions - self.max_new_tokens,
        )

    def compare(
        self, news: str, *, system_prompt: str, adapter: str | None = None, stop: threading.Event | None = None
    ) -> Iterator[Comparison]:
        """Both answers as they grow: one Comparison, yielded again with every piece, done when each answer has its reason.

        A side whose server refuses, fails or falls silent ends with FAILED and its `error`; the other one goes on. Raises UserError for what cannot be asked.
        """
        if adapter not in (None, self.served["tuned"]):
            raise unknown_adapter(adapter, [self.served["tuned"]])
        prompt = self.encode(news, system_prompt=system_prompt)
        requests = {side: Request(prompt.ids, side, prompt.shared) for side in SIDES} if self.takes_ids else {}
        answers = {side: AnswerStream() for side in SIDES}
        now = _Answering(Comparison(prompt, requests, answers, switched=dict(self.served)), stop or threading.Event())
        now.heard = dict.fromkeys(SIDES, now.begun)
        with self._counted():
            try:
                for side in SIDES:
                    threading.Thread(target=self._read, args=(side, now), daemon=True).start()
                while not now.comparison.done:
                    self._take(now)
                    yield now.comparison
            finally:
                now.stop.set()

    def _take(self, now: _Answering) -> None:
        """Take what has come, or see what has not."""
        if now.stop.is_set():
            for answer in now.comparison.answers.values():
                answer.reason = answer.reason or ABORT
            return
        try:
            side, event = now.events.get(timeout=0.2)  # often enough to notice a stop
        except queue.Empty:
            pass
        else:
            self._note(now, side, event)
        for side, answer in now.comparison.answers.items():
            if answer.reason is None:
                self._watch(now, side, answer)

    def _note(self, now: _Answering, side: str, event: Event) -> None:
        answer, moment = now.comparison.answers[side], time.monotonic()
        if answer.reason is not None:
            return
        if event is None:
            answer.reason = now.reasons[side]
        elif isinstance(event, UserError):
            answer.reason, answer.error = FAILED, event
        else:
            if event.text:
                answer.text, answer.tokens, answer.seconds = (
                    answer.text + event.text,
                    answer.tokens + 1,
                    moment - now.begun,
                )
            if event.answer_tokens is not None:
                answer.tokens = event.answer_tokens
            if event.prompt_tokens is not None:
                now.comparison.server_tokens[side] = event.prompt_tokens
            if event.reason in (STOP, LENGTH):
                now.reasons[side] = event.reason
            elif event.reason:
                said = f"finish_reason {event.reason}"
                answer.reason, answer.error = (
                    FAILED,
                    UserError(
                        f"The server ended the answer of {self.served[side]}: {said}",
                        key="server_failed",
                        name=self.served[side],
                        said=said,
                    ),
                )
            now.heard[side], answer.silence = moment, 0

    def _watch(self, now: _Answering, side: str, answer: AnswerStream) -> None:
        """End a side that has been silent for too long, and look after a server that has not begun."""
        silence = time.monotonic() - now.heard[side]
        if side in now.reasons:
            answer.reason = now.reasons[side] if silence > COUNT_SECONDS else None
        elif silence >= (STALL_SECONDS if answer.text else LONGEST_SILENCE):
            answer.reason, answer.error = FAILED, silent(self.served[side], silence)
        elif silence >= STALL_SECONDS:
            answer.silence = int(silence)
            if time.monotonic() - now.looked.get(side, 0.0) >= STALL_SECONDS:
                now.looked[side] = time.monotonic()
                threading.Thread(target=self._look, args=(side, now), daemon=True).start()

    def _look(self, side: str, now: _Answering) -> None:
        try:
            self.endpoint.find_out(self.served[side])
        except UserError as error:
            now.events.put((side, error))

    def _read(self, side: str, now: _Answering) -> None:
        """One side's answer, chunk by chunk, into the queue."""
        try:
            for chunk in self.endpoint.stream(
                self.served[side], now.comparison.prompt, self._dialects[side], max_new_tokens=self.max_new_tokens
            ):
                if now.stop.is_set():
                    return
                now.events.put((side, chunk))
            now.events.put((side, None))
        except UserError as error:
            now.events.put((side, error))

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._askers += 1
        try:
            yield
        finally:
            with self._lock:
                self._askers -= 1

    def _mixes(self, run: dict | None) -> bool:
        """Whether the base answers a question otherwise alone than beside the tuned model: vLLM may give both the adapter (see docs/gpu.md)."""
        # With the training's prompt the two differ at once; the number makes it new to a server that keeps beginnings.
        asked = f"{uuid.uuid4().hex}\n{run['system_prompt'] if run else '요약하라.'}"
        prompt = encode_news(self.chat, "가람누리테크가 공급 계약을 맺었다.", system_prompt=asked)

        def ask(side: str) -> str:
            chunks = self.endpoint.stream(self.served[side], prompt, self._dialects[side], max_new_tokens=TRIED_TOKENS)
            return "".join(chunk.text for chunk in chunks)

        try:
            alone = ask("base")
            with ThreadPoolExecutor(len(SIDES)) as pool:
                beside, _ = pool.map(ask, SIDES)
        except UserError:
            return False  # nothing was seen; the comparison says what fails
        return alone != beside

    def _describe(self) -> str:
        takes = (
            "takes our token ids"
            if self.takes_ids
            else "takes no token ids: it makes its prompts of our messages itself"
        )
        return f"{takes}; models {', '.join(self.served.values())}"

    def _describe_decoding(self) -> dict[str, object]:
        greedy = all(dialect.greedy for dialect in self._dialects.values())
        method = "greedy" if greedy else "temperature 0 (a repetition penalty of the server's is not known)"
        return {
            "method": method,
            "max_new_tokens": self.max_new_tokens,
            "server": self.url,
            "prompt": "token ids" if self.takes_ids else "messages",
        }


def _told_positions(model: dict) -> int | None:
    """How many tokens a model takes by its server's list: vLLM and llama.cpp tell, each in its own way."""
    meta = model.get("meta") or {}
    return model.get("max_model_len") or meta.get("n_ctx") or meta.get("n_ctx_train")
