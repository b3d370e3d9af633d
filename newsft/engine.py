"""Prompts -> token streams. Base and tuned answers come from one batch over one copy of the weights.

Greedy decoding with a key-value cache; the cache of the system prompt is computed once per adapter state and kept. Rows
stop one by one, and a row that has stopped leaves the batch.
"""

import copy
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import DynamicCache

from newsft import chat, data
from newsft.errors import UserError
from newsft.models import ADAPTER, BASE, Loaded, stop_ids

SIDES = ("base", "tuned")
KEPT_PREFIXES = 8  # system prompts whose cache is kept; the mini model's takes 1 MB, an 8B model's 100 MB
END_OF_TURN, LIMIT, STOPPED = "end_of_turn", "limit", "stopped"


@dataclass
class Request:
    """One row of a batch: a prompt and which side answers it."""

    prompt: list[int]
    side: str = "base"
    prefix: int = 0  # leading tokens that other prompts share (the system prompt)


@dataclass
class Token:
    """A step's result for one row. `reason` is set with the last one, whose `token` is None."""

    row: int
    token: int | None
    reason: str | None = None


class TextStream:
    """Token ids -> text that only ever grows: the bytes of a syllable may be spread over tokens, so an unfinished one waits."""

    def __init__(self, tokenizer):
        self._tokenizer, self._pending, self.text, self.count = tokenizer, [], "", 0

    def add(self, token: int) -> str:
        """Take one more token and return the text so far."""
        self._pending.append(token)
        self.count += 1
        decoded = self._decode()
        # U+FFFD at the end is a syllable still incomplete; after eight tokens it is the model's own broken output.
        if not decoded.endswith("\ufffd") or len(self._pending) > 8:
            self.text += decoded
            self._pending = []
        return self.text

    def finish(self) -> str:
        """The whole text, with what was held back."""
        if self._pending:
            self.text += self._decode()
            self._pending = []
        return self.text

    def _decode(self) -> str:
        return self._tokenizer.decode(self._pending, skip_special_tokens=True, clean_up_tokenization_spaces=False)


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


@dataclass
class Comparison:
    """Both sides' answers to one prompt."""

    prompt_tokens: int
    changes: list[str] = field(default_factory=list)  # what `clean_text` did to the news
    answers: dict[str, AnswerStream] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return all(answer.reason for answer in self.answers.values())


class Engine:
    """Answers prompts with one loaded model; safe to call from many threads, which take turns."""

    def __init__(self, loaded: Loaded, *, max_new_tokens: int):
        self.loaded, self.max_new_tokens = loaded, max_new_tokens
        self.stop_ids = stop_ids(loaded.tokenizer, loaded.model)
        self.sides = SIDES if isinstance(loaded.model, PeftModel) else SIDES[:1]
        self._prefixes: OrderedDict[tuple, DynamicCache] = OrderedDict()
        self._lock = threading.Lock()  # the adapter state is global to the model: two threads would corrupt each other

    @property
    def positions(self) -> int:
        """How many tokens prompt and answer may have together."""
        return self.loaded.model.config.max_position_embeddings

    def encode(self, news: str, *, system_prompt: str) -> tuple[chat.Encoded, int, list[str]]:
        """The prompt, how many of its first tokens belong to the system prompt, and what was changed in the news.

        Raises UserError for empty or over-long input.
        """
        news, changes = data.clean_text(news)
        if system_prompt.strip():
            system_prompt, _ = data.clean_text(system_prompt, what="system_prompt")
        prompt = chat.encode_prompt(self.loaded.tokenizer, data.prompt_messages(news, system_prompt=system_prompt))
        room = self.positions - self.max_new_tokens
        if len(prompt) > room:
            message = f"News and system prompt have {len(prompt):,} tokens, the model takes {room:,} besides its answer; shorten the news."
            raise UserError(message, key="too_many_tokens", count=len(prompt), limit=room)
        return prompt, prompt.origins.index("user"), changes

    def compare(self, news: str, *, system_prompt: str, stop: threading.Event | None = None) -> Iterator[Comparison]:
        """Both answers as they grow: one Comparison, yielded again after every step, done when each answer has its reason."""
        prompt, prefix, changes = self.encode(news, system_prompt=system_prompt)
        comparison = Comparison(len(prompt), changes, {side: AnswerStream() for side in self.sides})
        streams = {side: TextStream(self.loaded.tokenizer) for side in self.sides}
        requests = [Request(prompt.input_ids, side, prefix) for side in self.sides]
        begun = time.monotonic()
        for tokens in self.generate(requests, stop=stop):
            for token in tokens:
                side = self.sides[token.row]
                answer = comparison.answers[side]
                if token.token is None:
                    answer.text, answer.reason = streams[side].finish(), token.reason
                else:
                    answer.text, answer.tokens = streams[side].add(token.token), answer.tokens + 1
                answer.seconds = time.monotonic() - begun
            yield comparison

    def generate(self, requests: Sequence[Request], *, stop: threading.Event | None = None) -> Iterator[list[Token]]:
        """Greedy answers of all requests in one batch; each step yields what its live rows produced.

        `stop` ends every row at the next step with the reason 'stopped'. Closing the iterator frees the model.
        """
        with self._lock:
            yield from self._decode(list(requests), stop or threading.Event())

    def _decode(self, requests: list[Request], stop: threading.Event) -> Iterator[list[Token]]:
        live = list(range(len(requests)))
        cache, logits, mask = self._prefill(requests)
        produced = 0
        while live:
            chosen = logits.argmax(-1).tolist()
            produced += 1
            step, keep = [], []
            for index, token in enumerate(chosen):
                row = live[index]
                reason = END_OF_TURN if token in self.stop_ids else STOPPED if stop.is_set() else None
                if reason is None:
                    step.append(Token(row, token))
                    reason = LIMIT if produced >= self.max_new_tokens else None
                if reason:
                    step.append(Token(row, None, reason))
                else:
                    keep.append(index)
            yield step
            if len(keep) < len(live):
                live = [live[index] for index in keep]
                if not live:
                    return
                chosen = [chosen[index] for index in keep]
                cache.batch_select_indices(torch.tensor(keep, device=mask.device))
                mask = mask[keep]
            mask = torch.cat([mask, mask.new_ones(len(live), 1)], 1)
            with self._adapters([requests[row].side for row in live]) as model:
                ids = torch.tensor(chosen, device=mask.device)[:, None]
                logits = _forward(model, ids, cache, mask)

    def _prefill(self, requests: list[Request]) -> tuple[DynamicCache, torch.Tensor, torch.Tensor]:
        """The cache after all prompts, the next token's logits (rows, vocabulary), and the mask (rows, positions)."""
        device = self.loaded.device
        shared = min(request.prefix for request in requests)
        head = requests[0].prompt[:shared]
        if any(request.prompt[:shared] != head for request in requests):
            shared, head = 0, []
        cache = self._prefix_cache(head, [request.side for request in requests])
        rest = [request.prompt[shared:] for request in requests]
        length = max(map(len, rest))
        # Left padding stands between the shared prefix and the row's own tokens; mask and positions pass over it.
        ids = torch.tensor([[0] * (length - len(row)) + row for row in rest], device=device)
        mask = torch.tensor([[1] * shared + [0] * (length - len(row)) + [1] * len(row) for row in rest], device=device)
        with self._adapters([request.side for request in requests]) as model:
            return cache, _forward(model, ids, cache, mask), mask

    def _prefix_cache(self, head: list[int], sides: list[str]) -> DynamicCache:
        if not head:
            return DynamicCache()
        kept = {}
        for side in dict.fromkeys(sides):
            key = (side, tuple(head))
            if key not in self._prefixes:
                cache = DynamicCache()
                with self._adapters([side]) as model:
                    _forward(model, torch.tensor([head], device=self.loaded.device), cache, None)
                self._prefixes[key] = cache
                while len(self._prefixes) > KEPT_PREFIXES:
                    self._prefixes.popitem(last=False)
            kept[side] = self._prefixes[key]
        joined = copy.copy(kept[sides[0]])
        joined.layers = []
        for number, layer in enumerate(kept[sides[0]].layers):
            layer = copy.copy(layer)
            layer.keys = torch.cat([kept[side].layers[number].keys for side in sides])
            layer.values = torch.cat([kept[side].layers[number].values for side in sides])
            joined.layers.append(layer)
        return joined

    @contextmanager
    def _adapters(self, sides: list[str]) -> Iterator[torch.nn.Module]:
        """The model with the adapter on for the rows of the tuned side only."""
        model = self.loaded.model
        if not isinstance(model, PeftModel):
            yield model
            return
        names = [ADAPTER if side == "tuned" else BASE for side in sides]
        try:
            with model.base_model._enable_peft_forward_hooks(adapter_names=names):
                yield model.base_model.model
        except BaseException:
            # PEFT leaves its hooks behind when something raises inside (peft#3475); they would break every later call.
            for module in model.modules():
                if isinstance(module, LoraLayer):
                    module._forward_pre_hooks.clear()
                    module._forward_pre_hooks_with_kwargs.clear()
            raise


@torch.inference_mode()  # here and not around the generator, which may be resumed in another thread: the mode is per thread
def _forward(model: torch.nn.Module, ids: torch.Tensor, cache: DynamicCache, mask: torch.Tensor | None) -> torch.Tensor:
    """Run `ids` (rows, tokens) on top of the cache; logits of the last position, (rows, vocabulary)."""
    plain = mask is None or bool(mask.all())  # without padding, no mask: the attention's causal path is faster
    positions = None if plain else (mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    out = model(input_ids=ids, attention_mask=None if plain else mask, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return out.logits[:, -1]
