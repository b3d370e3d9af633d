"""News -> prompts -> answers that grow: both sides of a comparison, from one model that many threads may ask at once."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from peft import PeftModel

from newsft.data.messages import prompt_messages
from newsft.data.text import clean_text
from newsft.encoding.chat import ChatFormat
from newsft.encoding.pieces import Piece
from newsft.errors import UserError
from newsft.inference.adapter_switch import adapter_of
from newsft.inference.decoder import Decoder, Job, score_row
from newsft.inference.detokenizer import IncrementalDetokenizer
from newsft.inference.shared import OwnAnswers, SharedAnswers
from newsft.inference.types import SIDES, AnswerStream, Capabilities, Comparison, ModelInfo, NextToken, Prompt, Request
from newsft.inference.worker import Batcher
from newsft.models.growth import attach_steps
from newsft.models.hub import find_files
from newsft.models.load import BASE, Loaded, add_adapter, load_base, stop_ids
from newsft.recipe import Recipe


def encode_news(chat: ChatFormat, news: str, *, system_prompt: str, room: int | None = None) -> Prompt:
    """The prompt that asks for an answer to a news text, of at most `room` tokens. Raises UserError for empty or over-long input."""
    news, changes = clean_text(news)
    if system_prompt.strip():
        system_prompt, _ = clean_text(system_prompt, what="system_prompt")
    messages = prompt_messages(news, system_prompt=system_prompt)
    encoded = chat.encode_prompt(messages)
    if room is not None and len(encoded) > room:
        message = f"News and system prompt have {len(encoded):,} tokens, the model takes {room:,} besides its answer; shorten the news."
        raise UserError(message, key="too_many_tokens", count=len(encoded), limit=room)
    return Prompt(messages, encoded, changes)


def load_engine(
    recipe: Recipe,
    *,
    examples: Sequence[str] = (),
    batcher: Callable[[Decoder], Batcher] = Batcher,
    on_cpu: bool = False,
    shares: bool = True,
) -> "LocalEngine":
    """The engine with the recipe's base and adapter, and the adapter's earlier steps where they were kept, on the device that is there or `on_cpu`."""
    base = load_base(recipe.model, quantize=recipe.quantize, attention=recipe.attention, on_cpu=on_cpu)
    loaded = add_adapter(base, recipe.adapter)
    loaded.steps = attach_steps(loaded, find_files(recipe.adapter, what="adapter"))
    return LocalEngine(loaded, max_new_tokens=recipe.max_new_tokens, examples=examples, batcher=batcher, shares=shares)


class LocalEngine:
    """A `ScoringEngine` with one loaded model; the rows of all threads that ask are answered together.

    `examples` are answers of training rows, whose form speeds the decoding up. `batcher` makes of the decoder what the threads ask: a `Batcher`, or what stands in its place where the model runs elsewhere.
    Comparisons with the same prompt at the same time, and those with one of the last prompts, are computed once, unless `shares` is false.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        max_new_tokens: int,
        examples: Sequence[str] = (),
        batcher: Callable[[Decoder], Batcher] = Batcher,
        shares: bool = True,
    ):
        self.loaded, self.chat, self.max_new_tokens = loaded, loaded.chat, max_new_tokens
        self.capabilities = Capabilities(token_loss=True, same_weights=True, steps=loaded.steps)
        self.models = ModelInfo(loaded.describe(), loaded.fingerprint, loaded.adapter_fingerprint, loaded.run)
        self.stop_ids = stop_ids(loaded.chat, loaded.model)
        self.sides = SIDES if isinstance(loaded.model, PeftModel) else SIDES[:1]
        self.adapters = {side: None if adapter_of(side) == BASE else adapter_of(side) for side in self.sides}
        self.positions = loaded.model.config.max_position_embeddings
        self.room = self.positions - max_new_tokens  # tokens that a prompt may have
        dtype = str(loaded.model.dtype).removeprefix("torch.")
        # The device is asked now: on ZeroGPU only the thread that loaded the model sees it on the GPU.
        self.decoding = {
            "method": "greedy",
            "max_new_tokens": max_new_tokens,
            "dtype": dtype,
            "device": loaded.device.type,
        }
        encoded = [loaded.chat.encode_pieces([Piece(text, "answer")]).input_ids for text in examples]
        self._decoder = Decoder(loaded.model, stop_ids=self.stop_ids, max_new_tokens=max_new_tokens, examples=encoded)
        self._batcher = batcher(self._decoder)
        self._answers = (SharedAnswers if shares and self._batcher.shares else OwnAnswers)(self._batcher)

    @property
    def askers(self) -> int:
        """How many are being answered or wait for it."""
        return self._answers.askers

    def encode(self, news: str, *, system_prompt: str) -> Prompt:
        """The prompt that asks for an answer to a news text. Raises UserError for empty or over-long input."""
        return encode_news(self.chat, news, system_prompt=system_prompt, room=self.room)

    def compare(self, news: str, *, system_prompt: str, stop: threading.Event | None = None) -> Iterator[Comparison]:
        """Both answers as they grow: one Comparison, yielded again after every step, done when each answer has its reason."""
        return self._answer(news, self.sides, system_prompt=system_prompt, stop=stop)

    def grow(self, news: str, *, system_prompt: str, stop: threading.Event | None = None) -> Iterator[Comparison]:
        """As `compare`, with an answer for the base and for every kept step of the training, by the sides of `capabilities.growth`."""
        sides = ["base", *self.capabilities.growth.values()]
        return self._answer(news, sides, system_prompt=system_prompt, stop=stop)

    def _answer(
        self, news: str, sides: Sequence[str], *, system_prompt: str, stop: threading.Event | None
    ) -> Iterator[Comparison]:
        prompt = self.encode(news, system_prompt=system_prompt)
        requests = {side: Request(prompt.ids, side, prompt.shared) for side in sides}
        comparison = Comparison(prompt, requests, {side: AnswerStream() for side in sides})
        streams = {side: IncrementalDetokenizer(self.chat) for side in sides}

        def measure_difference(first: dict[int, torch.Tensor]) -> dict[str, float] | None:
            if not set(SIDES) <= set(sides):
                return None
            apart = (first[sides.index("base")] - first[sides.index("tuned")]).abs()
            return {"largest": apart.max().item(), "mean": apart.mean().item()}

        stop, asked = stop or threading.Event(), list(requests.values())
        with self._answers.ask(asked, stop=stop, summarise=measure_difference) as found:
            comparison.shared = found.shared
            for tokens, seconds in found:
                comparison.difference = found.summary
                for token in tokens:
                    side = sides[token.row]
                    answer = comparison.answers[side]
                    if token.token is None:
                        answer.text, answer.reason = streams[side].finish(), token.reason
                    else:
                        answer.text, answer.tokens = streams[side].add(token.token), answer.tokens + 1
                    answer.seconds = seconds  # without the time in the queue
                yield comparison

    def score(self, ids: Sequence[int]) -> dict[str, list[float]]:
        """side -> what every token of a whole row but the first costs it, in nats."""
        losses = self._batcher.call(partial(score_row, ids=ids, sides=list(self.sides)))
        return dict(zip(self.sides, losses, strict=True))

    def generate(
        self, requests: Sequence[Request], *, stop: threading.Event | None = None
    ) -> Iterator[list[NextToken]]:
        """Greedy answers of all requests, answered together with whatever else is asked; each step yields what these rows produced.

        `stop` ends every row at the next step with the reason ABORT; closing the iterator does the same. Raises
        RuntimeError where the model failed.
        """
        return self._batcher.answer(Job(requests, stop or threading.Event()))
