"""What goes into an engine and comes out of it, as plain data: nothing here needs torch, so whatever shows it need not either."""

from dataclasses import dataclass, field
from statistics import fmean

from newsft.data.messages import Message
from newsft.encoding.chat import IGNORED, Encoded

END_OF_TURN, LIMIT, STOPPED = "end_of_turn", "limit", "stopped"


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
class Token:
    """A step's result for one request, by its number in its job. `reason` is set with the last one, whose `token` is None."""

    row: int
    token: int | None
    reason: str | None = None


SIDES = ("base", "tuned")


@dataclass
class AnswerStream:
    """One side's answer while it grows."""

    text: str = ""
    tokens: int = 0
    seconds: float = 0.0
    reason: str | None = None

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
    def shared(self) -> int:
        """How many of its first tokens belong to the system prompt."""
        return self.encoded.origins.index("user")


@dataclass
class Comparison:
    """Both sides' answers to one prompt."""

    prompt: Prompt
    requests: dict[str, Request] = field(default_factory=dict)  # side -> what it was in fact asked
    answers: dict[str, AnswerStream] = field(default_factory=dict)
    difference: dict[str, float] | None = None  # between the sides' logits for the answer's first token: largest and mean

    @property
    def done(self) -> bool:
        return all(answer.reason for answer in self.answers.values())


@dataclass(frozen=True)
class Xray:
    """A row with the loss of every token but the first, in nats; `losses[side][i]` is the cost of predicting token i."""

    encoded: Encoded
    losses: dict[str, list[float | None]]

    def mean(self, side: str, *, prompt_too: bool = False) -> float | None:
        """The mean over the labels, which is what the trainer reports for this row; or over every token, as if the prompt were trained too."""
        found = [loss for loss, label in zip(self.losses[side], self.encoded.labels, strict=True) if loss is not None and (prompt_too or label != IGNORED)]
        return fmean(found) if found else None

    def gains(self) -> list[float | None]:
        """By how much the adapter makes each token cheaper; negative where it makes it dearer."""
        return [None if before is None else before - after for before, after in zip(self.losses["base"], self.losses["tuned"], strict=True)]


@dataclass(frozen=True)
class Receipt:
    """A comparison's evidence. `alarms` is empty where all of it holds."""

    prompt_hashes: dict[str, str]  # side -> hash of the ids that it was given
    prompt_tokens: int
    is_prefix: bool  # the prompt is an id-prefix of the training row with the same messages
    decoding: dict[str, object]
    stop_ids: dict[int, list[str]]  # id -> where it comes from
    reasons: dict[str, str | None]  # side -> why its answer ended
    adapters: dict[str, str | None]  # side -> the adapter that PEFT switched on for its row
    base_fingerprint: str  # empty where another server has the weights
    adapter_fingerprint: str | None
    data_fingerprint: str | None  # of the rows that the adapter was trained on
    difference: dict[str, float] | None  # of the logits for the answer's first token: largest and mean
    alarms: tuple[str, ...]
