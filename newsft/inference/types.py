"""What an engine is, what goes into it and what comes out, as plain data: nothing here needs torch, so whatever shows it need not either."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Protocol, runtime_checkable

import numpy as np

from newsft.data.messages import Message
from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import IGNORED, Encoded
from newsft.errors import UserError
from newsft.models.adapter_info import AdapterInfo
from newsft.models.run_record import name_step

SIDES = ("base", "tuned")
LIKELIEST = 5  # tokens that are told of those that could come next
# Finish reasons by their usual names; the values are written in files and are keys of the page's texts.
STOP, LENGTH, ABORT = "end_of_turn", "limit", "stopped"
FAILED = "failed"  # of a side whose server failed; why is in the answer's `error`


@dataclass(frozen=True)
class Request:
    """One row of a batch: a prompt and which side answers it."""

    prompt: list[int]
    side: str = "base"
    prefix: int = 0  # leading tokens that other prompts share (the system prompt)

    @property
    def head(self) -> list[int]:
        """The tokens that other prompts share."""
        return self.prompt[: self.prefix]


@dataclass
class NextToken:
    """A step's result for one request, by its number in its job. `reason` is set with the last one, whose `token` is None."""

    row: int
    token: int | None
    reason: str | None = None


@dataclass
class AnswerStream:
    """One side's answer while it grows."""

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    reason: str | None = None
    error: UserError | None = None  # why this side has FAILED
    ids: list[int] = field(
        default_factory=list
    )  # of its tokens, without the one that ends it; empty where a server answers
    silence: int = 0  # seconds for which its server has sent nothing, where that is long

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Prompt:
    """What both sides are asked."""

    messages: list[Message]
    encoded: Encoded
    changes: list[str] = field(default_factory=list)  # what `clean_text` did to the news

    @property
    def ids(self) -> list[int]:
        return self.encoded.input_ids

    @property
    def news(self) -> str:
        """The text that is asked about, as `clean_text` left it."""
        return self.messages[-1]["content"]

    @property
    def shared(self) -> int:
        """How many of its first tokens belong to the system prompt."""
        return self.encoded.origins.index("user")


@dataclass
class Comparison:
    """Both sides' answers to one prompt."""

    prompt: Prompt
    requests: dict[str, Request] = field(
        default_factory=dict
    )  # side -> what it was in fact asked; empty where a server makes its prompt itself
    answers: dict[str, AnswerStream] = field(default_factory=dict)
    difference: dict[str, float] | None = (
        None  # between the sides' logits for the answer's first token: largest and mean
    )
    shared: bool = (
        False  # whether it was computed for another comparison with the same prompt, at the same time or shortly before
    )
    server_tokens: dict[str, int] = field(
        default_factory=dict
    )  # side -> how many tokens its server counted in the prompt, where it tells
    adapter: AdapterInfo | None = None  # that the tuned side answers with; None where a server has it
    switched: dict[str, str | None] = field(
        default_factory=dict
    )  # side -> the name of the adapter that is on for its row, or of the served model

    @property
    def done(self) -> bool:
        return all(answer.reason for answer in self.answers.values())


@dataclass(frozen=True)
class ModelInfo:
    """What is known of the models behind an engine."""

    description: str  # one line for the log
    base_fingerprint: str = ""  # empty where another server has the weights
    adapter_fingerprint: str | None = None
    run: dict | None = None  # what training wrote beside the adapter
    mixed: bool = False  # whether a server was seen to answer otherwise for the base once the tuned model is asked at the same time


@dataclass(frozen=True)
class Capabilities:
    """What not every engine can do: who wants it asks here first."""

    token_loss: bool = False  # whether it is a `ScoringEngine`
    same_weights: bool = False  # whether both sides are known to be one copy of the base, with the adapter off and on
    changeable: bool = False  # whether it is a `ChangeableEngine`
    steps: tuple[int, ...] = ()  # of the training, as which a `GrowingEngine` answers; the last is the adapter itself

    @property
    def growth(self) -> dict[int, str]:
        """Step -> the side that answers with the adapter as it was then."""
        return {step: "tuned" if step == self.steps[-1] else name_step(step) for step in self.steps}


@runtime_checkable
class Engine(Protocol):
    """What compares the base model and the tuned one: in this process, on ZeroGPU, or behind a server. Safe for threads."""

    chat: ChatFormat  # the encoding that prompts have, and the page's tabs show
    models: ModelInfo
    capabilities: Capabilities
    sides: tuple[str, ...]
    adapters: tuple[
        AdapterInfo, ...
    ]  # that the tuned side can answer with, the first where none is named; empty where another server has them
    served: dict[str, str]  # side -> the name by which a server knows its model; empty where the models are here
    decoding: dict[str, object]  # how the answers come about, as far as it is known
    stop_ids: dict[int, list[str]]  # token that ends an answer -> where that is said; empty where it is not known
    askers: int  # how many comparisons are being answered or wait for it

    def encode(self, news: str, *, system_prompt: str) -> Prompt:
        """The prompt that asks for an answer to a news text. Raises UserError for empty or over-long input."""

    def compare(
        self, news: str, *, system_prompt: str, adapter: str | None = None, stop: threading.Event | None = None
    ) -> Iterator[Comparison]:
        """Both answers as they grow: one Comparison, yielded again after every step, done when each answer has its reason.

            for comparison in engine.compare("가람테크가 공급 계약을 맺었다.", system_prompt="답은 dictionary로 쓴다."):
                comparison.answers["tuned"]     text "{'is_st", reason None    and in the end    text "{'is_stock_related': True, ...}", reason STOP

        `adapter` is the name of one of `adapters`. `stop` ends both with the reason ABORT; closing the iterator does the same. Raises
        UserError for what the user can put right, such as a name that is not there,
        and RuntimeError where the model fails or falls silent. Where each side has a server of its own to fail, that side alone gets the
        reason FAILED and the other goes on.
        """


@runtime_checkable
class ScoringEngine(Engine, Protocol):
    """An engine that also has the weights at hand."""

    positions: int  # how many tokens a row, or prompt and answer together, may have

    def score(self, ids: Sequence[int]) -> dict[str, list[float]]:
        """side -> what every token of a whole row but the first costs it, in nats."""

    def look_ahead(self, comparison: Comparison, side: str) -> "NextTokens":
        """What could come next at every place of one side's finished answer; it is read, not written a second time."""


@runtime_checkable
class ChangeableEngine(Engine, Protocol):
    """An engine whose adapters come and go while it answers."""

    def add_adapter(self, name: str, folder: str, *, listed: bool = True) -> AdapterInfo:
        """Load one more adapter, which can be asked by this name from here on; who is being answered meanwhile notices nothing.

        One that is not `listed` is offered to nobody. Raises UserError for a name that is taken, and for a folder that holds no adapter of this base.
        """

    def remove_adapter(self, name: str) -> None:
        """From here on it cannot be asked; answers that have begun are given to the end, then its weights leave the memory.

        Raises UserError for a name that is not there, and for the adapter that the engine was loaded with.
        """


@runtime_checkable
class GrowingEngine(Engine, Protocol):
    """An engine that also answers with the adapter as it was at earlier steps of its training."""

    def grow(self, news: str, *, system_prompt: str, stop: threading.Event | None = None) -> Iterator[Comparison]:
        """As `compare`, with an answer for the base and for every step, by the sides of `capabilities.growth`; all from one batch."""


@dataclass(
    frozen=True, eq=False
)  # told apart by identity: arrays have no hash, which Gradio asks of what a session keeps
class NextTokens:
    """What could come next behind the first n tokens of an answer, for every n from 0 to all of them (then the end of the turn)."""

    ids: list[int]  # the answer's tokens: what was written at the places but the last
    likeliest: dict[
        str, tuple[np.ndarray, np.ndarray]
    ]  # side -> token ids and probabilities, both (places, LIKELIEST), the likeliest first

    @property
    def parts(self) -> int | None:
        """The first place at which the sides do not hold the same token for the likeliest; None where they agree throughout."""
        firsts = [tokens[:, 0] for tokens, _ in self.likeliest.values()]
        differing = np.flatnonzero(np.any([first != firsts[0] for first in firsts], axis=0))
        return int(differing[0]) if len(differing) else None


@dataclass(frozen=True)
class Xray:
    """A row with the loss of every token but the first, in nats; `losses[side][i]` is the cost of predicting token i."""

    encoded: Encoded
    losses: dict[str, list[float | None]]

    def mean(self, side: str, *, prompt_too: bool = False) -> float | None:
        """The mean over the labels, which is what the trainer reports for this row; or over every token, as if the prompt were trained too."""
        pairs = zip(self.losses[side], self.encoded.labels, strict=True)
        found = [loss for loss, label in pairs if loss is not None and (prompt_too or label != IGNORED)]
        return fmean(found) if found else None

    def gains(self) -> list[float | None]:
        """By how much the adapter makes each token cheaper; negative where it makes it dearer."""
        pairs = zip(self.losses["base"], self.losses["tuned"], strict=True)
        return [None if before is None else before - after for before, after in pairs]


@dataclass(frozen=True)
class Receipt:
    """A comparison's evidence. `alarms` is empty where all of it holds."""

    prompt_hashes: dict[
        str, str | None
    ]  # side -> hash of the ids that it was given; None where a server made them and does not tell
    prompt_tokens: int  # by our own encoding
    is_prefix: (
        bool | None
    )  # the prompt is an id-prefix of the training row with the same messages; None where the ids are not known
    decoding: dict[str, object]
    stop_ids: dict[int, list[str]]  # id -> where it comes from
    reasons: dict[str, str | None]  # side -> why its answer ended
    adapters: dict[str, str | None]  # side -> the adapter that was on for its row, or the served model's name
    base_fingerprint: str  # empty where another server has the weights
    adapter_fingerprint: str | None
    data_fingerprint: (
        str | None
    )  # of the rows that the adapter was trained on; None where another server has the adapter
    difference: dict[str, float] | None  # of the logits for the answer's first token: largest and mean
    alarms: tuple[str, ...]
    shared: bool = False  # whether the answers were computed for another comparison with the same prompt
    template_day: str | None = (
        None  # the date that the chat template writes into the prompt, that of the adapter's training; None where it writes none, or where a server writes it
    )
    server_tokens: dict[str, int] = field(
        default_factory=dict
    )  # side -> the prompt's tokens by the server's count, where it tells
    adapter_settings: dict[str, object] | None = (
        None  # r, alpha and what else the adapter was trained with; None where a server has it
    )
