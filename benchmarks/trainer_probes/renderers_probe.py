"""renderers: its renderer for Llama 3, and the one that it gives for a name that it does not know."""

from probe import answer, masked, read_asked
from renderers import build_training_sample, create_renderer
from renderers.configs import Llama3RendererConfig
from transformers import AutoTokenizer

ASKED = read_asked()


def prepare(messages: list[dict], tokenizer: str, config: object | None) -> dict:
    """The row, all answers trained; without a config the renderer goes by the tokenizer's name, which here is a folder's."""
    renderer = create_renderer(AutoTokenizer.from_pretrained(ASKED[tokenizer]), config)
    sample = build_training_sample(renderer, messages, role_to_mask=lambda message: message["role"] == "assistant")
    return {"ids": list(sample.token_ids), "labels": masked(sample.token_ids, sample.loss_mask)}


def named(messages: list[dict], limit: int | None) -> dict:
    """`llama-3`."""
    return prepare(messages, "l31", Llama3RendererConfig())


def unknown(messages: list[dict], limit: int | None) -> dict:
    """No name, or one that is not known."""
    return prepare(messages, "l3", None)


answer(
    {"renderers": named, "renderers-default": unknown},
    {"renderers-default": lambda: named(ASKED["conversations"]["toy"], None)},
)
