"""Requests -> tokens, step by step: rows with and without the adapter in one batch over one copy of the weights.

Greedy decoding. The cache of a system prompt is computed once per adapter state and kept. Each row ends by itself and leaves its place to
the row that has waited longest. Each pass also checks, for each row, some proposed tokens: the more rows there are, the fewer.
"""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain

import torch
from peft import PeftModel
from transformers import Cache, DynamicCache

from newsft.compat import attention_of
from newsft.errors import UserError
from newsft.inference.adapter_switch import AdapterSwitch, adapter_of
from newsft.inference.joined import SMALL_MODEL, JoinedLlama
from newsft.inference.kv_cache import KVCache, join_caches
from newsft.inference.ngram import NgramProposer
from newsft.inference.types import ABORT, LENGTH, STOP, NextToken, Request

MASKABLE = ("sdpa", "eager")  # attention implementations that take a mask of our own; flash attention takes none
KEPT_TOKENS = 16_384  # of system prompts whose cache is kept, each counted once for every adapter state; an 8B model's takes 131 kB a token
MOST_ROWS = 32  # answered at once
MOST_JOINING = 8  # prompts read in one pass; the rows that are already answering wait meanwhile
MOST_PROPOSED = 5  # tokens of a row that are proposed and checked in one pass
STEP_TOKENS = 96  # in one pass, proposed ones included; with more, it costs more time than the proposals save
SHORT_TOKENS = 12  # in a pass of a small model that one thread computes faster than several


@dataclass(eq=False)
class Job:
    """Requests of one asker. `stop` ends all of them at the next step; `on_start` sees each one's number and its first token's logits, (vocabulary,)."""

    requests: Sequence[Request]
    stop: threading.Event = field(default_factory=threading.Event)
    on_start: Callable[[int, torch.Tensor], None] | None = None
    started: float | None = None  # time.monotonic() when the first of them was taken up


@dataclass
class _Row:
    job: Job
    number: int
    tokens: list[int] = field(
        default_factory=list
    )  # its answer so far; the last token is fed to the model in the next pass
    proposer: NgramProposer | None = None

    @property
    def request(self) -> Request:
        return self.job.requests[self.number]

    def propose(self, most: int, examples: NgramProposer) -> list[int]:
        """At most so many tokens that may come next, from prompt, answer and examples."""
        if most < 1:
            return []
        prompt = self.request.prompt
        self.proposer = self.proposer or NgramProposer(prompt, behind=examples)
        self.proposer.extend(self.tokens[len(self.proposer) - len(prompt) :])
        return self.proposer.propose(most)


class Decoder:
    """Greedy decoding with one model, for many jobs at once. Not safe for threads: the adapter state is global to the model.

    `examples` are answers, as ids, from which tokens may be proposed. Neither proposals nor other rows in the batch change an answer, but for rounding:
    in bf16, of two tokens with nearly equal logits the other may win. Raises UserError for a model whose attention takes no mask of our own.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        stop_ids: Sequence[int],
        max_new_tokens: int,
        examples: Sequence[list[int]] = (),
    ):
        self.model = model.get_base_model() if isinstance(model, PeftModel) else model  # with the LoRA layers in it
        _check_attention(self.model)
        self.adapters, self.stop_ids, self.max_new_tokens = AdapterSwitch(model), stop_ids, max_new_tokens
        self._examples = NgramProposer(chain.from_iterable(examples))
        self._threads = torch.get_num_threads()
        self._small = self.model.device.type == "cpu" and self.model.num_parameters() <= SMALL_MODEL
        self._joined = JoinedLlama(self.model) if JoinedLlama.fits(self.model) else None
        self._prefixes: OrderedDict[tuple[str, tuple[int, ...]], Cache] = (
            OrderedDict()
        )  # by side and tokens, the longest unused first
        self._waiting: deque[_Row] = deque()
        self._retired: set[str] = set()  # sides whose adapter leaves once no row has it
        self._begin()

    def _begin(self) -> None:
        self._rows: list[_Row] = []  # in the order of their slots
        self._joining: list[_Row] = []
        self._cache = KVCache(self.model.config.num_hidden_layers)

    @property
    def busy(self) -> bool:
        """Whether a row is answered or waits."""
        return bool(self._waiting or self._rows)

    def submit(self, job: Job) -> None:
        """Put a job's requests behind those that wait."""
        self._waiting.extend(_Row(job, number) for number in range(len(job.requests)))

    def step(self) -> dict[Job, list[NextToken]]:
        """One pass through the model, for the rows that join or for all that are answering: what it gave to each job. Call while `busy`.

        Where it raises, `abandon` says whose answers are lost.
        """
        found: dict[Job, list[NextToken]] = {}
        self._drop_stopped(found)
        self._drop_retired()
        if not self.busy:
            return found
        free = MOST_ROWS - len(self._rows)
        if self._waiting and (
            not self._rows or free >= min(len(self._waiting), max(MOST_ROWS // 4, 1))
        ):  # prompts are cheaper to read together, so it waits until several places are free
            chosen = self._join(min(free, MOST_JOINING))
        else:
            chosen = self._advance()
        self._take(chosen, found)
        self._drop_retired()
        return found

    def retire(self, side: str) -> None:
        """Drop a side's adapter, and what is kept of its prompts, as soon as no row is answered by it; no later job may ask it."""
        self._retired.add(side)
        self._drop_retired()

    def _drop_retired(self) -> None:
        asked = {row.request.side for row in (*self._rows, *self._joining, *self._waiting)} if self._retired else set()
        for side in self._retired - asked:
            self._retired.remove(side)
            for key in [key for key in self._prefixes if key[0] == side]:
                del self._prefixes[key]
            self.adapters.remove(side)
            if self._joined:
                self._joined.forget(adapter_of(side))

    def abandon(self) -> set[Job]:
        """After a step that raised: forget all rows in the batch, and the rows of the same jobs that still wait; the jobs."""
        lost = {row.job for row in (*self._rows, *self._joining)}
        self._waiting = deque(row for row in self._waiting if row.job not in lost)
        self._prefixes.clear()  # in case the step failed for lack of memory
        self._begin()
        return lost

    def _drop_stopped(self, found: dict[Job, list[NextToken]]) -> None:
        waiting: deque[_Row] = deque()
        for row in self._waiting:  # each asked once: another may stop meanwhile
            if row.job.stop.is_set():
                found.setdefault(row.job, []).append(NextToken(row.number, None, ABORT))
            else:
                waiting.append(row)
        self._waiting = waiting

    def _join(self, most: int) -> list[list[int]]:
        """Let the first that wait, as far as their prompts begin alike, join the batch; their first tokens."""
        head = self._waiting[0].request.head
        while self._waiting and len(self._joining) < most and self._waiting[0].request.head == head:
            row = self._waiting.popleft()
            row.job.started = row.job.started or time.monotonic()
            self._joining.append(row)
        logits = self._prefill([row.request for row in self._joining])
        for row, one in zip(self._joining, logits, strict=True):
            if row.job.on_start:
                row.job.on_start(row.number, one)
        self._rows += self._joining
        self._joining = []
        return logits.argmax(-1)[:, None].tolist()

    def _take(self, chosen: list[list[int]], found: dict[Job, list[NextToken]]) -> None:
        """Give the last rows their chosen tokens; those that end leave."""
        ended = []
        for index, tokens in enumerate(chosen, len(self._rows) - len(chosen)):
            row = self._rows[index]
            step = found.setdefault(row.job, [])
            for token in tokens:
                reason = STOP if token in self.stop_ids else ABORT if row.job.stop.is_set() else None
                if reason is None:
                    row.tokens.append(token)
                    step.append(NextToken(row.number, token))
                    reason = LENGTH if len(row.tokens) >= self.max_new_tokens else None
                if reason:
                    step.append(NextToken(row.number, None, reason))
                    ended.append(index)
                    break
        for index in reversed(ended):  # the last row takes the number of one that leaves
            self._cache.leave(index)
            self._rows[index] = self._rows[-1]
            self._rows.pop()

    def _advance(self) -> list[list[int]]:
        """Feed every row its last token and the proposals for what follows; each row's next tokens, one more than were accepted."""
        device, cache = self.model.device, self._cache
        most = min(MOST_PROPOSED, STEP_TOKENS // len(self._rows) - 1)
        proposals = [
            row.propose(min(most, self.max_new_tokens - len(row.tokens) - 1), self._examples) for row in self._rows
        ]
        width = 1 + max(map(len, proposals))
        # A shorter proposal is filled up with zeros; the keys and values of these are overwritten before any token attends to them.
        ids = [[row.tokens[-1], *proposal] for row, proposal in zip(self._rows, proposals, strict=True)]
        ids = [row + [0] * (width - len(row)) for row in ids]
        positions = cache.begin_step(width)
        threads = 1 if self._small and len(ids) * width <= SHORT_TOKENS else self._threads
        with _threads(threads, then=self._threads):
            logits = self._pass(torch.tensor(ids, device=device), positions)
        said = zip(proposals, logits.argmax(-1).tolist(), strict=True)
        chosen = [tokens[: 1 + _count_accepted(proposal, tokens)] for proposal, tokens in said]
        cache.end_step([len(tokens) for tokens in chosen])
        return chosen

    def _pass(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """The logits of a step of all rows, (rows, width, vocabulary)."""
        sides, mask = [row.request.side for row in self._rows], self._cache.mask(self.model.dtype)
        if self._joined:
            rows = self.adapters.sort_rows(sides)
            if self._joined.takes(rows):
                return self._joined(ids, self._cache, positions=positions, mask=mask, rows=rows)
        with self.adapters.set_rows(sides):
            return forward(self.model, ids, self._cache, attention_mask=mask, position_ids=positions)

    def _prefill(self, requests: list[Request]) -> torch.Tensor:
        """Let prompts with the same head join the cache; the first tokens' logits, (rows, vocabulary)."""
        device, head = self.model.device, requests[0].head
        sides = [request.side for request in requests]
        filled = self.read_head(head, sides)
        rest = [request.prompt[len(head) :] for request in requests]
        # Padding is on the right, which no token attends to in a causal model; it does not get into the cache.
        width = max(map(len, rest))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rest], device=device)
        ends = sorted({len(row) - 1 for row in rest})
        with self.adapters.set_rows(sides):
            logits = forward(self.model, ids, filled, logits_to_keep=torch.tensor(ends, device=device))
        self._cache.join(
            filled, [len(request.prompt) for request in requests], room=self.max_new_tokens + MOST_PROPOSED
        )
        return torch.stack([logits[index, ends.index(len(row) - 1)] for index, row in enumerate(rest)])

    def read_head(self, head: list[int], sides: list[str]) -> Cache:
        """A cache of one row per side, filled with the tokens that prompts share; computed once per side, and the caller's to go on with."""
        if not head:
            return DynamicCache()
        kept = {}
        for side in dict.fromkeys(sides):
            key = (side, tuple(head))
            if key not in self._prefixes:
                cache = DynamicCache()
                with self.adapters.set_rows([side]):
                    forward(self.model, torch.tensor([head], device=self.model.device), cache, logits_to_keep=1)
                self._prefixes[key] = cache
            self._prefixes.move_to_end(key)
            kept[side] = self._prefixes[key]
        while len(self._prefixes) > len(kept) and sum(len(tokens) for _, tokens in self._prefixes) > KEPT_TOKENS:
            self._prefixes.popitem(last=False)
        return join_caches([kept[side] for side in sides])


def _count_accepted(proposal: list[int], tokens: list[int]) -> int:
    """How many of the proposed tokens are what the model says, up to the first that is not."""
    pairs = enumerate(zip(proposal, tokens, strict=False))
    return next((place for place, (proposed, said) in pairs if proposed != said), len(proposal))


@contextmanager
def _threads(count: int, *, then: int) -> Iterator[None]:
    """Compute in so many threads on a CPU: a small model's short pass gains little from more than one, and loses half of its time where other threads of the process compute too."""
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(then)


def _check_attention(model: torch.nn.Module) -> None:
    config = model.config
    attention = attention_of(config)
    if attention not in MASKABLE:
        raise UserError(
            f"The attention implementation {attention} takes no mask of its own, which answers need; use --attention {' or '.join(MASKABLE)}."
        )
    window = getattr(config, "sliding_window", None)
    if window and getattr(config, "use_sliding_window", True) and window < config.max_position_embeddings:
        raise UserError(
            f"The model looks back over a sliding window of {window:,} tokens, which is not supported here; choose a Llama-style model without one."
        )


@torch.inference_mode()  # here and not around the caller: the mode belongs to a thread, and a generator may be resumed in another thread
def forward(model: torch.nn.Module, ids: torch.Tensor, cache: Cache, **settings) -> torch.Tensor:
    """Run `ids` (rows, tokens) on top of the cache; logits, (rows, positions kept, vocabulary)."""
    return model(input_ids=ids, past_key_values=cache, use_cache=True, **settings).logits
