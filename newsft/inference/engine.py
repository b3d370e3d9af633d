"""News -> prompts -> answers that grow: both sides of a comparison, from one model that many threads may ask at once."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from peft import PeftModel

from newsft.data.messages import prompt_messages
from newsft.data.text import clean_text
from newsft.encoding.chat import ChatFormat
from newsft.encoding.pieces import Piece
from newsft.errors import UserError
from newsft.inference.adapter_switch import adapter_of
from newsft.inference.adapters import Adapters
from newsft.inference.decoder import Decoder, Job
from newsft.inference.detokenizer import IncrementalDetokenizer
from newsft.inference.passes import find_likeliest, score_row
from newsft.inference.shared import OwnAnswers, SharedAnswers
from newsft.inference.types import (
    LIKELIEST,
    SIDES,
    AnswerStream,
    Capabilities,
    Comparison,
    ModelInfo,
    NextToken,
    NextTokens,
    Prompt,
    Request,
)
from newsft.inference.worker import Batcher
from newsft.models.adapter_info import AdapterInfo, name_adapters, unknown_adapter
from newsft.models.growth import attach_steps
from newsft.models.hub import find_files
from newsft.models.load import BASE, Loaded, add_adapter, attach_adapter, check_adapter, load_base, on_day_of, stop_ids
from newsft.recipe import Recipe

NUMBERS = itertools.count(
    1
)  # of the adapters beside the first, never given twice: what is kept of one would be taken for another's


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
    more: Sequence[str] = (),
    examples: Sequence[str] = (),
    batcher: Callable[[Decoder], Batcher] = Batcher,
    on_cpu: bool = False,
    shares: bool = True,
) -> "LocalEngine":
    """The engine with the recipe's base and adapter, the adapter's earlier steps where they were kept, and `more` adapters, on the device that is there or `on_cpu`."""
    name, *others = name_adapters([recipe.adapter, *more])
    base = load_base(recipe.model, quantize=recipe.quantize, attention=recipe.attention, on_cpu=on_cpu)
    loaded = add_adapter(base, recipe.adapter, name=name)
    for other, source in zip(others, more, strict=True):
        _load_another(loaded, other, source)
    loaded.steps = attach_steps(loaded, find_files(recipe.adapter, what="adapter"))
    return LocalEngine(loaded, max_new_tokens=recipe.max_new_tokens, examples=examples, batcher=batcher, shares=shares)


def _load_another(loaded: Loaded, name: str, source: str) -> None:
    checked, side = check_adapter(loaded, source), _new_side()
    attach_adapter(loaded, checked, side)
    loaded.adapters += (checked.describe(name, side),)


def _new_side() -> str:
    return f"adapter-{next(NUMBERS)}"


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
        self.models = ModelInfo(loaded.describe(), loaded.fingerprint, loaded.adapter_fingerprint, loaded.run)
        self.stop_ids = stop_ids(loaded.chat, loaded.model)
        self.sides = SIDES if isinstance(loaded.model, PeftModel) else SIDES[:1]
        self.served: dict[str, str] = {}
        self.positions = loaded.model.config.max_position_embeddings
        self.room = self.positions - max_new_tokens  # tokens that a prompt may have
        if self.room <= 0:
            raise UserError(
                f"The model takes {self.positions:,} tokens, and --max-new-tokens alone is {max_new_tokens:,}; give fewer."
            )
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
        changeable = self._batcher.changeable and len(self.sides) > 1
        self.capabilities = Capabilities(token_loss=True, same_weights=True, changeable=changeable, steps=loaded.steps)
        self._adapters = Adapters(loaded.adapters, retire=self._retire)

    @property
    def adapters(self) -> tuple[AdapterInfo, ...]:
        """Those that the tuned side can answer with; the first where none is named."""
        return self._adapters.infos

    def add_adapter(self, name: str, folder: str, *, listed: bool = True) -> AdapterInfo:
        """Load one more adapter between two steps; from here on it can be asked by this name. One that is not `listed` is offered to nobody.

        Raises UserError for a name that is taken, for a folder that holds no adapter of this base, and where the model is in other processes too.
        """
        self._check_changeable()
        with self._adapters.claim(name):
            checked, side = check_adapter(self.loaded, str(folder)), _new_side()
            info = checked.describe(name, side, listed=listed)

            def attach(decoder: Decoder) -> None:
                attach_adapter(self.loaded, checked, side)
                decoder.adapters.refresh()

            self._batcher.call(attach)
            self._adapters.put(info)
        return info

    def remove_adapter(self, name: str) -> None:
        """From here on it cannot be asked; answers that have begun are given to the end, then its weights leave the memory.

        Raises UserError for a name that is not there, and for the adapter that the engine was loaded with.
        """
        self._check_changeable()
        self._adapters.remove(name)

    def _check_changeable(self) -> None:
        if not self.capabilities.changeable:
            message = "Adapters cannot be added or removed here while the page runs; give all of them to app.py with --adapter."
            raise UserError(message, key="not_changeable")

    def _retire(self, side: str) -> None:
        self._batcher.post(lambda decoder: decoder.retire(side))

    @property
    def askers(self) -> int:
        """How many are being answered or wait for it."""
        return self._answers.askers

    def encode(self, news: str, *, system_prompt: str, adapter: str | None = None) -> Prompt:
        """The prompt that asks for an answer to a news text, as rows of that adapter's training begin. Raises UserError for empty or over-long input."""
        return self._encode(news, system_prompt, self._adapters.find(adapter))

    def _encode(self, news: str, system_prompt: str, adapter: AdapterInfo | None) -> Prompt:
        chat = on_day_of(self.chat, adapter.run if adapter else None)
        return encode_news(chat, news, system_prompt=system_prompt, room=self.room)

    def compare(
        self, news: str, *, system_prompt: str, adapter: str | None = None, stop: threading.Event | None = None
    ) -> Iterator[Comparison]:
        """Both answers as they grow: one Comparison, yielded again after every step, done when each answer has its reason."""
        with self._adapters.lend(adapter) as info:
            asked = {side: side if side == "base" else info.side for side in self.sides}
            yield from self._answer(news, asked, info, system_prompt=system_prompt, stop=stop)

    def grow(self, news: str, *, system_prompt: str, stop: threading.Event | None = None) -> Iterator[Comparison]:
        """As `compare`, with an answer for the base and for every kept step of the training, by the sides of `capabilities.growth`."""
        sides = ["base", *self.capabilities.growth.values()]
        asked, first = dict(zip(sides, sides, strict=True)), self._adapters.find()
        return self._answer(news, asked, first, system_prompt=system_prompt, stop=stop)

    def _answer(
        self,
        news: str,
        asked: Mapping[str, str],
        adapter: AdapterInfo | None,
        *,
        system_prompt: str,
        stop: threading.Event | None,
    ) -> Iterator[Comparison]:
        """One comparison; `asked` has, by the side under which an answer is given, the side that is asked for it."""
        prompt, sides = self._encode(news, system_prompt, adapter), list(asked)
        requests = {side: Request(prompt.ids, asked[side], prompt.shared) for side in sides}
        answers = {side: AnswerStream() for side in sides}
        switched = {side: self._name_adapter(asked[side]) for side in sides}
        comparison = Comparison(prompt, requests, answers, adapter=adapter, switched=switched)
        streams = {side: IncrementalDetokenizer(self.chat) for side in sides}

        def measure_difference(first: dict[int, torch.Tensor]) -> dict[str, float] | None:
            if not set(SIDES) <= set(sides):
                return None
            apart = (first[sides.index("base")] - first[sides.index("tuned")]).abs()
            return {"largest": apart.max().item(), "mean": apart.mean().item()}

        stop = stop or threading.Event()
        with self._answers.ask(list(requests.values()), stop=stop, summarise=measure_difference) as found:
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
                        answer.ids.append(token.token)
                    answer.seconds = seconds  # without the time in the queue
                yield comparison

    def _name_adapter(self, side: str) -> str | None:
        """What a reader calls the adapter that is on for a side's rows; None where none is."""
        on = adapter_of(side)
        names = {adapter_of(info.side): info.name for info in self._adapters.infos}
        return None if on == BASE else names.get(on, on)

    def score(self, ids: Sequence[int]) -> dict[str, list[float]]:
        """side -> what every token of a whole row but the first costs it, in nats."""
        losses = self._batcher.call(partial(score_row, ids=ids, sides=list(self.sides)))
        return dict(zip(self.sides, losses, strict=True))

    def look_ahead(self, comparison: Comparison, side: str) -> NextTokens:
        """What could come next at every place of one side's answer, by every side that answered. Raises UserError where the adapter was removed meanwhile."""
        name = comparison.adapter.name if comparison.adapter else None
        with self._adapters.lend(name) as info:
            if info != comparison.adapter:  # another one has the name by now
                raise unknown_adapter(name, [other.name for other in self.adapters if other.listed])
            ids, sides = list(comparison.answers[side].ids), list(comparison.requests)
            asked = [request.side for request in comparison.requests.values()]
            settings = {"asked": comparison.requests[side], "answer": ids, "sides": asked, "most": LIKELIEST}
            found = self._batcher.call(partial(find_likeliest, **settings))
        return NextTokens(ids, {own: found[there] for own, there in zip(sides, asked, strict=True)})

    def generate(
        self, requests: Sequence[Request], *, stop: threading.Event | None = None
    ) -> Iterator[list[NextToken]]:
        """Greedy answers of all requests, answered together with whatever else is asked; each step yields what these rows produced.

        `stop` ends every row at the next step with the reason ABORT; closing the iterator does the same. Raises
        RuntimeError where the model failed.
        """
        return self._batcher.answer(Job(requests, stop or threading.Event()))
