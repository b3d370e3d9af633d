"""Private names of the libraries and differences between their versions, all in one place: each with the version that makes it necessary.

The libraries are imported where they are used: this module is part of the ground, which loads none of them.
"""

import json
import warnings
from typing import Any

# PEFT 0.21 asks transformers 5.23 by a name that this one deprecates; a user can do nothing about it.
warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)


def attention_of(config: Any) -> str:
    """The attention implementation of a model's config. transformers 5.23 has a public way to set it (`set_attn_implementation`) and none to ask for it."""
    return config._attn_implementation


def has_bf16_units() -> bool:
    """Whether this CPU multiplies bf16 itself. torch 2.13 has no public name for it."""
    import torch

    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def hub_http_error() -> type[Exception]:
    """What the hub's HTTP client raises where nobody answers: requests' error before huggingface_hub 1.0, httpx's since."""
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]


def is_byte_level(tokenizer: Any) -> bool:
    """Whether the names of the tokens are bytes in disguise (GPT-2's way), rather than text. tokenizers 0.23 tells the parts of a decoder in its pickled state alone."""
    decoder = json.loads(tokenizer.backend_tokenizer.decoder.__getstate__())
    return "ByteLevel" in {decoder["type"], *(one["type"] for one in decoder.get("decoders", []))}


def render_on_day(tokenizer: Any, messages: list[dict], *, generation_prompt: bool, day: Any) -> str:
    """A conversation as `apply_chat_template` writes it, with the date `day` where a template asks for it. transformers 5.23 gives templates today's, whatever it is given."""
    if "strftime_now" not in tokenizer.get_chat_template():
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation_prompt)
    from transformers.utils.chat_template_utils import _compile_jinja_template

    settings = {
        "messages": [dict(message) for message in messages],
        "tools": None,
        "documents": None,
        "add_generation_prompt": generation_prompt,
    }
    return _compile_jinja_template(tokenizer.get_chat_template()).render(
        **{**tokenizer.special_tokens_map, **settings, "strftime_now": lambda form: day.strftime(form)}
    )


def without_prefix(tokenizer: Any, *, only_first: bool = False) -> Any:
    """A `tokenizers.Tokenizer` that puts nothing before a text (SentencePiece's `▁`, GPT-2's space), or, with `only_first`, not what goes before the first text alone.

    Its model is shared. tokenizers 0.23 shows and takes the settings of its parts whole in their pickled state alone.
    """
    from tokenizers import Tokenizer, normalizers, pre_tokenizers

    changed = Tokenizer(tokenizer.model)
    for name, blank in (("normalizer", normalizers.Sequence), ("pre_tokenizer", pre_tokenizers.Sequence)):
        part = getattr(tokenizer, name)
        if part is not None:
            new = blank([])
            new.__setstate__(json.dumps(_drop_prefix(json.loads(part.__getstate__()), only_first=only_first)).encode())
            setattr(changed, name, new)
    return changed


def _drop_prefix(state: dict, *, only_first: bool) -> dict:
    if state["type"] == "Sequence":
        name = "normalizers" if "normalizers" in state else "pretokenizers"
        kept = [
            _drop_prefix(one, only_first=only_first) for one in state[name] if only_first or one["type"] != "Prepend"
        ]
        return {"type": "Sequence", name: kept}
    if state["type"] == "Prepend" and not only_first:
        return {"type": "Sequence", "normalizers": []}
    if state["type"] == "Metaspace" and (not only_first or state["prepend_scheme"] == "first"):
        return state | {"prepend_scheme": "never"}
    return state | {"add_prefix_space": False} if state["type"] == "ByteLevel" and not only_first else state


def has_prefix(tokenizer: Any) -> bool:
    """Whether a `tokenizers.Tokenizer` puts something before a text."""
    states = [
        json.loads(part.__getstate__()) for part in (tokenizer.normalizer, tokenizer.pre_tokenizer) if part is not None
    ]
    return any(_drop_prefix(state, only_first=False) != state for state in states)


def hide_names(tokenizer: Any, numbers: Any) -> Any:
    """A copy of a `tokenizers.Tokenizer` whose vocabulary spells the tokens `numbers` in a way that no text does. tokenizers 0.23 lets nobody change a model but by its JSON."""
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.to_str())
    vocabulary = state["model"]["vocab"]
    if isinstance(vocabulary, list):
        for number in numbers:
            vocabulary[number][0] = f"\ue000{number}\ue001"
    else:
        names = {number: name for name, number in vocabulary.items()}
        for number in numbers:
            del vocabulary[names[number]]
            vocabulary[f"\ue000{number}\ue001"] = number
    return Tokenizer.from_str(json.dumps(state))


def without_added(tokenizer: Any, names: Any) -> Any:
    """A copy of a `tokenizers.Tokenizer` that has not added the tokens `names`, which its vocabulary has as well. tokenizers 0.23 takes nothing back that was added.

    Its model is shared where the other added tokens get their ids again.
    """
    from tokenizers import Tokenizer

    added = [
        (number, token)
        for number, token in sorted(tokenizer.get_added_tokens_decoder().items(), key=lambda item: item[0])
        if token.content not in names
    ]
    changed = Tokenizer(tokenizer.model)
    for name in ("normalizer", "pre_tokenizer"):
        if getattr(tokenizer, name) is not None:
            setattr(changed, name, getattr(tokenizer, name))
    for _, token in added:
        (changed.add_special_tokens if token.special else changed.add_tokens)([token])
    if all(changed.token_to_id(token.content) == number for number, token in added):
        return changed
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in names]
    return Tokenizer.from_str(json.dumps(state))


def waiting_sessions(page: Any, concurrency_id: str) -> list[str]:
    """The sessions of the events that wait under a page's `concurrency_id`, the next one first. Gradio 6.31 tells a place to the browser that has it, and nobody else."""
    waiting = page._queue.event_queue_per_concurrency_id.get(concurrency_id)
    return [event.session_hash for event in list(waiting.queue)] if waiting else []


def count_waiting(page: Any) -> int:
    """How many events wait in a page's queue. Gradio 6.31 refuses one beyond `max_size` with a message of its own, in English."""
    return len(page._queue)


def describe_once(page: Any) -> None:
    """Have a page's components described once, instead of once for each reader who comes. Gradio 6.31 does that anew for every session, with
    `inspect.signature` for each component: a tenth of a second and more in which no other reader is served, for nothing but its links to a page's state.
    """
    kind, known = type(page.default_config), {}

    class DescribedOnce(kind):
        def __copy__(self) -> Any:
            new = super().__copy__()
            new.__class__ = type(self)
            return new

        @staticmethod
        def config_for_block(_id: int, rendered_ids: list, block: Any, renderable: Any = None) -> dict:
            describe = kind.config_for_block
            if renderable or page.blocks.get(_id) is not block:  # one that an event has made anew for its reader
                return describe(_id, rendered_ids, block, renderable)
            if _id not in known:
                known[_id] = describe(_id, rendered_ids, block)
            return known[_id] | {"props": dict(known[_id]["props"])}  # a session writes values into it

    page.default_config.__class__ = DescribedOnce


def with_relative_links(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """A request's headers, changed so that Gradio's answer has addresses relative to the page's own. Gradio 6.31 makes them of the address that a proxy
    calls, or of X-Forwarded-Host, which knows no sub-path; its own header for another address it takes as it is, and the browser completes a relative one.
    """
    kept = [(name, value) for name, value in headers if name not in (b"x-forwarded-host", b"x-gradio-server")]
    return [*kept, (b"x-gradio-server", b".")]


class TrainerHooks:
    """The places at which our trainer differs from transformers' Trainer, all private in version 5.23; inherited before it.

    The trainer has `choose_order`, `begins_epoch`, `staging_path` and `save_checkpoint`, which is given the function that writes one.
    """

    def _get_train_sampler(self, train_dataset=None) -> Any:
        return self.choose_order()

    def _run_epoch(self, *, epoch: int, **settings) -> None:
        if self.begins_epoch(epoch):
            super()._run_epoch(epoch=epoch, **settings)

    def _get_output_dir(self, trial) -> str:
        return self.staging_path()

    def _save_checkpoint(self, model, trial) -> None:
        write = super()._save_checkpoint
        self.save_checkpoint(lambda: write(model, trial))
