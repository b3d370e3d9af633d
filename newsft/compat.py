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


def waiting_sessions(page: Any, concurrency_id: str) -> list[str]:
    """The sessions of the events that wait under a page's `concurrency_id`, the next one first. Gradio 6.31 tells a place to the browser that has it, and nobody else."""
    waiting = page._queue.event_queue_per_concurrency_id.get(concurrency_id)
    return [event.session_hash for event in list(waiting.queue)] if waiting else []


def count_waiting(page: Any) -> int:
    """How many events wait in a page's queue. Gradio 6.31 refuses one beyond `max_size` with a message of its own, in English."""
    return len(page._queue)


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
