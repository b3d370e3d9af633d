"""One OpenAI-compatible server: which models it has, how it can be asked, and an answer of it as a stream of chunks.

Servers differ in what they take. Best is a list of token ids as the prompt of /v1/completions (vLLM, llama.cpp): both models then get
exactly our ids, in which a pasted control token is text. A server that refuses it gets messages and makes of them what it likes.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import openai

from newsft.encoding.chat import ChatFormat
from newsft.errors import UserError, one_line
from newsft.inference.types import LENGTH, STOP, Prompt

CONNECT_SECONDS = 10.0  # until the server is reached
LONGEST_SILENCE = 120.0  # until it writes: some load a model when it is first asked for
LOOK_SECONDS = 3.0  # to see whether the server is there at all
REASONS = {"stop": STOP, "length": LENGTH}
# Greedy in the words of every server, against what a model's generation_config.json or the server's own settings say otherwise.
GREEDY = {"temperature": 0.0, "top_p": 1.0}
GREEDY_ELSEWHERE = {
    "top_k": 1,
    "min_p": 0.0,
    "repetition_penalty": 1.0,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
}
# What a question can end with: the client's own errors, those of httpx that it lets through, broken JSON, an answer in another shape.
FAILURES = (openai.OpenAIError, httpx.HTTPError, ValueError, TypeError, AttributeError, LookupError)
NOBODY = "newsft-asks-for-a-model-that-nobody-has"
PROBE = [{"role": "user", "content": "주가가 올랐습니까?"}]  # a question whose tokens are counted here and there
TEXT = "가람누리테크가 12월 3일 1,200억 원 규모의 전력 반도체 공급 계약을 체결했다고 밝혔다. 주가는 4.5% 올랐다. The shares rose."
Fields = dict[str, Any]


@dataclass(frozen=True)
class Dialect:
    """How a server is asked: by ids or by messages, with which fields beside them, and what is known of its answers thereby."""

    takes_ids: bool
    fields: Fields = field(default_factory=dict)  # that OpenAI's API does not have
    greedy: bool = False  # whether it reads a field that switches a repetition penalty off
    told_stops: bool = False  # whether it takes ids that end an answer


@dataclass(frozen=True)
class Chunk:
    """A piece of an answer. The counts come with the last one, from servers that count."""

    text: str = ""
    reason: str | None = None
    prompt_tokens: int | None = None
    answer_tokens: int | None = None


class Endpoint:
    """The server at `url`; safe for threads. Everything that it refuses or fails at is raised as a UserError that names it."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self.address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()  # without name and password
        self._client = openai.OpenAI(
            base_url=self.url,
            api_key="none",
            max_retries=0,
            timeout=openai.Timeout(LONGEST_SILENCE, connect=CONNECT_SECONDS),
            # A connection for each question: transformers serve closes the one on which it failed, and the next would fail.
            http_client=openai.DefaultHttpxClient(limits=httpx.Limits(max_keepalive_connections=0)),
        )

    def list_models(self) -> dict[str, dict] | None:
        """Name -> what the server says of the model; None where it has no such list. Raises UserError where nobody answers or /v1 is missing."""
        if not self.url.endswith("/v1") and _lists(f"{self.url}/v1"):
            raise UserError(f"The server's API begins at {self.address}/v1; give --server {self.address}/v1.")
        try:
            return {model.id: model.to_dict() for model in self._client.models.list().data}
        except (openai.APIConnectionError, httpx.HTTPError) as error:
            raise UserError(
                f"No server answers at {self.address} ({type(error).__name__}); start it, or correct --server (it ends in /v1 for most servers)."
            ) from error
        except (openai.OpenAIError, TypeError, AttributeError, ValueError):
            return None

    def check_name(self, name: str, listed: dict[str, dict] | None) -> None:
        """Raise UserError where the server has no model of that name.

        Some load whatever they are asked for and list it not; some answer to any name with the one model that they have. The latter
        are found by a name that nobody has.
        """
        if listed and name in listed:
            return
        offers = f"; it offers {', '.join(sorted(listed)[:10])}" if listed else ""
        if self._answers(NOBODY):
            raise UserError(
                f"The server at {self.address} has no list with the model {name} in it and answers to any name, so nobody could tell which model it was{offers}."
            )
        try:
            self.ask_once(name, messages=PROBE, **GREEDY)
        except UserError as error:
            raise UserError(
                f"The server at {self.address} does not answer as {name}{offers}. It says: {error.values.get('said', error)}"
            ) from error

    def find_dialect(self, name: str, chat: ChatFormat, stop_ids: list[int]) -> Dialect:
        """The best way to ask that this server understands; UserError where it understands none. Costs an answer of one token for each try."""
        ids = chat.encode_prompt(PROBE).input_ids
        stops = {"stop_token_ids": stop_ids}
        with suppress(UserError):
            usage = self.ask_once(name, prompt=ids, **GREEDY, extra_body=GREEDY_ELSEWHERE | stops)
            if usage == len(ids):  # else it has added to them, or taken them for something else
                # Both names of the penalty are sent; a server that minds neither when they are nonsense does not read them.
                return Dialect(
                    True,
                    GREEDY_ELSEWHERE | stops,
                    greedy=self._reads(name, {"repetition_penalty": -1.0}, prompt=ids) or self._is_llama_cpp(),
                    told_stops=True,
                )
        config = {"do_sample": False, "repetition_penalty": 1.0, "eos_token_id": stop_ids}
        with suppress(UserError):
            self.ask_once(name, messages=PROBE, **GREEDY, extra_body={"generation_config": json.dumps(config)})
            if self._reads(name, {"generation_config": "?"}, messages=PROBE):
                return Dialect(False, {"generation_config": json.dumps(config)}, greedy=True, told_stops=True)
        with suppress(UserError):
            self.ask_once(name, messages=PROBE, **GREEDY, extra_body=GREEDY_ELSEWHERE | stops)
            reads = self._reads(name, {"repetition_penalty": -1.0}, messages=PROBE)
            return Dialect(False, GREEDY_ELSEWHERE | stops, greedy=reads, told_stops=reads)
        self.ask_once(name, messages=PROBE, **GREEDY)
        return Dialect(False)

    def check_tokenizer(self, name: str, chat: ChatFormat) -> None:
        """Raise UserError where the server cuts a text into another number of tokens: then our ids would mean other words to its model."""
        own, count = len(chat.tokenizer(TEXT, add_special_tokens=False).input_ids), None
        with suppress(UserError):  # a server that takes no text here cannot be asked
            count = self.ask_once(name, prompt=TEXT, **GREEDY)
        if count not in (None, own, own + 1):  # with or without a BOS
            raise UserError(
                f"The tokenizer of {name} on the server makes {count} tokens of a text of which this one makes {own}; give the --recipe or --model that belongs to the server's models."
            )

    def ask_once(self, name: str, **settings: Any) -> int | None:
        """One token of an answer; how many tokens the prompt had by the server's count. Raises UserError for what it refuses."""
        create = self._client.completions.create if "prompt" in settings else self._client.chat.completions.create
        try:
            answer = create(model=name, max_tokens=1, **settings)
            answer.choices[0].finish_reason  # noqa: B018 - an answer in another shape is none
            return answer.usage.prompt_tokens if answer.usage else None
        except FAILURES as error:
            raise self.explain(error, name) from error

    def stream(self, name: str, prompt: Prompt, dialect: Dialect, *, max_new_tokens: int) -> Iterator[Chunk]:
        """The answer to a prompt, until the server has given a reason. Raises UserError for everything that goes wrong."""
        asked: Fields = {"model": name, "max_tokens": max_new_tokens, "stream": True, **GREEDY}
        if dialect.takes_ids:
            asked |= {"prompt": prompt.ids, "stream_options": {"include_usage": True}}
        else:
            asked["messages"] = prompt.messages
        create = self._client.completions.create if dialect.takes_ids else self._client.chat.completions.create
        ended = False
        try:
            with create(**asked, extra_body=dialect.fields) as chunks:
                for chunk in chunks:
                    found = _read_chunk(chunk)
                    ended = ended or found.reason is not None
                    yield found
        except FAILURES as error:
            if not ended:
                raise self.explain(error, name) from error
        if not ended:
            self.find_out(name)
            raise UserError(
                f"The server broke off the answer of {name} without a reason.", key="server_broke_off", name=name
            )

    def find_out(self, name: str) -> None:
        """Raise UserError where the server cannot be reached any more."""
        try:
            httpx.get(f"{self.url}/models", timeout=LOOK_SECONDS)
        except (
            httpx.ReadTimeout,
            httpx.WriteTimeout,
        ):  # it is there, and busy: `transformers serve` loads a model meanwhile
            return
        except httpx.HTTPError as error:
            raise self._gone(name) from error

    def explain(self, error: Exception, name: str) -> UserError:
        """What went wrong with one model's answer, as a sentence with that model's name."""
        if isinstance(error, UserError):
            return error
        if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
            return silent(name, LONGEST_SILENCE)
        if isinstance(error, openai.APIStatusError):
            said = one_line(Exception(error.message.removeprefix(f"Error code: {error.status_code} - ")))
            return UserError(
                f"The server refused {name} ({error.status_code}): {said}",
                key="server_refused",
                name=name,
                status=error.status_code,
                said=said,
            )
        if isinstance(error, openai.APIConnectionError | httpx.TransportError):
            return self._gone(name)
        return UserError(
            f"The server failed while {name} was answering: {one_line(error)}",
            key="server_failed",
            name=name,
            said=one_line(error),
        )

    def _gone(self, name: str) -> UserError:
        return UserError(
            f"The server at {self.address}, which has {name}, cannot be reached; see whether it still runs, and ask again.",
            key="server_gone",
            name=name,
            url=self.address,
        )

    def _answers(self, name: str) -> bool:
        try:
            self.ask_once(name, messages=PROBE, **GREEDY)
        except UserError:
            return False
        return True

    def _reads(self, name: str, nonsense: Fields, **asked: Any) -> bool:
        """Whether the server refuses a field's nonsensical value, which it does only where it reads the field."""
        try:
            self.ask_once(name, **asked, **GREEDY, extra_body=nonsense)
        except UserError as error:
            return error.key == "server_refused"
        return False

    def _is_llama_cpp(self) -> bool:
        # It takes any penalty, and reads ours (repeat_penalty).
        with suppress(openai.OpenAIError):
            return any(model.owned_by == "llamacpp" for model in self._client.models.list().data)
        return False


def silent(name: str, seconds: float) -> UserError:
    """The error for a server that has stopped writing in the middle of an answer, or never begins."""
    return UserError(
        f"The server has sent nothing of the answer of {name} for {seconds:.0f} seconds.",
        key="server_silent",
        name=name,
        seconds=round(seconds),
    )


def _lists(url: str) -> bool:
    try:
        return isinstance(httpx.get(f"{url}/models", timeout=LOOK_SECONDS).json().get("data"), list)
    except (httpx.HTTPError, ValueError, AttributeError):
        return False


def _read_chunk(chunk: Any) -> Chunk:
    usage = chunk.usage
    counts = (usage.prompt_tokens, usage.completion_tokens) if usage else (None, None)
    for choice in chunk.choices[:1]:
        text = choice.text if hasattr(choice, "text") else choice.delta.content
        return Chunk(
            text or "", choice.finish_reason and REASONS.get(choice.finish_reason, choice.finish_reason), *counts
        )
    return Chunk("", None, *counts)
