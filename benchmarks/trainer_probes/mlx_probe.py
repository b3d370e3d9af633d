"""mlx-lm: its chat data set and its own batches of one row; what is trained is told by the loss's rule (`default_loss`)."""

from mlx_lm.tokenizer_utils import TokenizerWrapper
from mlx_lm.tuner.datasets import CacheDataset, ChatDataset
from mlx_lm.tuner.trainer import TrainingArgs, iterate_batches
from probe import AMPLE, answer, read_asked, shifted
from transformers import AutoTokenizer

ASKED = read_asked()
TOKENIZER = TokenizerWrapper(AutoTokenizer.from_pretrained(ASKED["l3"]))


def prepare(messages: list[dict], limit: int | None = None, *, mask_prompt: bool) -> dict:
    """The row, with the padding behind it that is trained."""
    data = CacheDataset(ChatDataset([{"messages": messages}], TOKENIZER, mask_prompt=mask_prompt))
    batch, lengths = next(iterate_batches(data, 1, limit or TrainingArgs().max_seq_length))
    [ids], [[offset, length]] = batch.tolist(), lengths.tolist()
    trained = [offset <= step <= length for step in range(1, len(ids))]
    row = shifted(ids[:-1], ids[1:], trained)
    last = max(length, 1 + max((step for step, one in enumerate(trained, 1) if one), default=0))
    return {name: values[:last] for name, values in row.items()}


def everything(messages: list[dict], limit: int | None) -> dict:
    """By default."""
    return prepare(messages, limit, mask_prompt=False)


def answers(messages: list[dict], limit: int | None) -> dict:
    """With `--mask-prompt`."""
    return prepare(messages, limit, mask_prompt=True)


answer(
    {"mlx": everything, "mlx-mask": answers},
    {
        "mlx": lambda: answers(ASKED["conversations"]["toy"], None),
        "mlx-mask": lambda: answers(ASKED["conversations"]["long"], AMPLE),
    },
)
