"""Requests -> tokens, step by step: rows with and without the adapter in one batch over one copy of the weights.

Greedy decoding. The cache of a system prompt is computed once per adapter state and kept. Rows end one by one, and those that
wait take their places.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import Cache, DynamicCache

from newsft.cache import SlotCache, join_caches
from newsft.models import ADAPTER, BASE

KEPT_PREFIXES = 8  # system prompts whose cache is kept; the mini model's takes 1 MB, an 8B model's 100 MB
MOST_ROWS = 32  # answered at once
END_OF_TURN, LIMIT, STOPPED = "end_of_turn", "limit", "stopped"


@dataclass
class Request:
    """One row of a batch: a prompt and which side answers it."""

    prompt: list[int]
    side: str = "base"
    prefix: int = 0  # leading tokens that other prompts share (the system prompt)


@dataclass
class Token:
    """A step's result for one request, by its number. `reason` is set with the last one, whose `token` is None."""

    row: int
    token: int | None
    reason: str | None = None


@dataclass
class _Row:
    number: int
    side: str
    token: int = 0  # the last one, not yet seen by the model
    produced: int = 0


class Decoder:
    """Greedy decoding with one model. Not safe for threads: the adapter state is global to the model."""

    def __init__(self, model: torch.nn.Module, *, stop_ids: Sequence[int], max_new_tokens: int):
        self.model, self.stop_ids, self.max_new_tokens = model, stop_ids, max_new_tokens
        self._prefixes: OrderedDict[tuple, Cache] = OrderedDict()

    def run(self, requests: Sequence[Request], stop: threading.Event, on_start: Callable[[torch.Tensor], None] | None) -> Iterator[list[Token]]:
        """Answer all requests, at most MOST_ROWS at once; see `Engine.generate`."""
        waiting = deque(enumerate(requests))
        rows: list[_Row] = []
        cache = SlotCache(self.model.config.num_hidden_layers)
        while waiting or rows:
            free = MOST_ROWS - len(rows)
            if waiting and (not rows or free >= min(len(waiting), max(MOST_ROWS // 4, 1))):  # a prompt alone costs more than its share of several
                joining = [waiting.popleft() for _ in range(min(free, len(waiting)))]
                logits = self._prefill([request for _, request in joining], cache)
                rows += [_Row(number, request.side) for number, request in joining]
                if on_start:
                    on_start(logits)
            else:
                logits = self._advance(rows, cache)
            yield self._take(rows, cache, logits.argmax(-1).tolist(), stop)
            if stop.is_set():
                yield [Token(number, None, STOPPED) for number, _ in waiting]
                waiting.clear()

    def _take(self, rows: list[_Row], cache: SlotCache, chosen: list[int], stop: threading.Event) -> list[Token]:
        """Give the last rows their chosen tokens; those that end leave."""
        step, ended = [], []
        for index, token in enumerate(chosen, len(rows) - len(chosen)):
            row = rows[index]
            reason = END_OF_TURN if token in self.stop_ids else STOPPED if stop.is_set() else None
            if reason is None:
                row.token, row.produced = token, row.produced + 1
                step.append(Token(row.number, token))
                reason = LIMIT if row.produced >= self.max_new_tokens else None
            if reason:
                step.append(Token(row.number, None, reason))
                ended.append(index)
        for index in reversed(ended):  # the last row takes the number of one that leaves
            cache.leave(index)
            rows[index] = rows[-1]
            rows.pop()
        return step

    def _advance(self, rows: list[_Row], cache: SlotCache) -> torch.Tensor:
        """Feed every row its last token; the next token's logits, (rows, vocabulary)."""
        device = self.model.device
        ids = torch.tensor([[row.token] for row in rows], device=device)
        positions = torch.tensor(cache.lengths, device=device)[:, None]
        with self.adapters([row.side for row in rows]) as model:
            out = _forward(model, ids, cache, attention_mask=cache.mask(self.model.dtype), position_ids=positions)
        cache.advance()
        return out[:, -1]

    def _prefill(self, requests: list[Request], cache: SlotCache) -> torch.Tensor:
        """Let prompts join the cache; the first tokens' logits, (rows, vocabulary)."""
        device = self.model.device
        shared = min(request.prefix for request in requests)
        head = requests[0].prompt[:shared]
        if any(request.prompt[:shared] != head for request in requests):
            shared, head = 0, []
        sides = [request.side for request in requests]
        filled = self._prefix_cache(head, sides)
        rest = [request.prompt[shared:] for request in requests]
        # Padding stands on the right, where causal attention never looks; the cache drops it.
        width = max(map(len, rest))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rest], device=device)
        ends = sorted({len(row) - 1 for row in rest})
        with self.adapters(sides) as model:
            logits = _forward(model, ids, filled, logits_to_keep=torch.tensor(ends, device=device))
        cache.join(filled, [len(request.prompt) for request in requests], room=self.max_new_tokens)
        return torch.stack([logits[index, ends.index(len(row) - 1)] for index, row in enumerate(rest)])

    def _prefix_cache(self, head: list[int], sides: list[str]) -> Cache:
        if not head:
            return DynamicCache()
        kept = {}
        for side in dict.fromkeys(sides):
            key = (side, tuple(head))
            if key not in self._prefixes:
                cache = DynamicCache()
                with self.adapters([side]) as model:
                    _forward(model, torch.tensor([head], device=self.model.device), cache, logits_to_keep=1)
                self._prefixes[key] = cache
                while len(self._prefixes) > KEPT_PREFIXES:
                    self._prefixes.popitem(last=False)
            kept[side] = self._prefixes[key]
        return join_caches([kept[side] for side in sides])

    @contextmanager
    def adapters(self, sides: list[str]) -> Iterator[torch.nn.Module]:
        """The model with the adapter on for the rows of the tuned side only."""
        model = self.model
        if not isinstance(model, PeftModel):
            yield model
            return
        if all(adapter_of(side) == ADAPTER for side in sides):  # as it stands, without the cost of telling rows apart
            yield model.base_model.model
            return
        try:
            with model.base_model._enable_peft_forward_hooks(adapter_names=[adapter_of(side) for side in sides]):
                yield model.base_model.model
        except BaseException:
            # PEFT leaves its hooks behind when something raises inside (peft#3475); they would break every later call.
            for module in model.modules():
                if isinstance(module, LoraLayer):
                    module._forward_pre_hooks.clear()
                    module._forward_pre_hooks_with_kwargs.clear()
            raise


def adapter_of(side: str) -> str:
    """The adapter that PEFT switches on for the rows of a side; BASE is none."""
    return ADAPTER if side == "tuned" else BASE


@torch.inference_mode()  # here and not around the generator, which may be resumed in another thread: the mode is per thread
def _forward(model: torch.nn.Module, ids: torch.Tensor, cache: Cache, **settings) -> torch.Tensor:
    """Run `ids` (rows, tokens) on top of the cache; logits, (rows, positions kept, vocabulary)."""
    return model(input_ids=ids, past_key_values=cache, use_cache=True, **settings).logits
