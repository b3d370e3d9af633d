"""tinker-cookbook: its `conversation_to_datum` with the renderer `llama3`, all answers trained."""

from probe import AMPLE, answer, read_asked, shifted
from tinker_cookbook.renderers.llama3 import Llama3Renderer
from tinker_cookbook.supervised.data import conversation_to_datum
from transformers import AutoTokenizer

ASKED = read_asked()
RENDERER = Llama3Renderer(AutoTokenizer.from_pretrained(ASKED["l3"]))


def prepare(messages: list[dict], limit: int | None) -> dict:
    """The row; weights above 0 are what is trained."""
    datum = conversation_to_datum(messages, RENDERER, limit)
    targets, weights = (datum.loss_fn_inputs[name].tolist() for name in ("target_tokens", "weights"))
    return shifted(datum.model_input.to_ints(), targets, [weight > 0 for weight in weights])


answer(
    {"tinker": prepare},
    {"tinker": lambda: prepare(ASKED["conversations"]["long"], AMPLE)},
    limited=("tinker",),
)
