"""ms-swift: its templates `llama3` and `llama3_2` (that of 3.1 and 3.2), and `template_backend jinja`, each as `swift sft` sets them up for training."""

from probe import AMPLE, answer, read_asked
from swift.model import get_processor
from swift.template import MaxLengthError, get_template

ASKED = read_asked()


def prepare(messages: list[dict], limit: int | None, template: str, **settings) -> dict | None:
    """The row, or None where it is deleted: too long, which `swift sft` by default takes out of the data."""
    made = get_template(
        get_processor(ASKED["l3"], model_type="llama"), max_length=limit, template_type=template, **settings
    )
    made.set_mode("train")
    try:
        row = made.encode({"messages": [dict(message) for message in messages]})
    except MaxLengthError:
        return None
    return {"ids": list(row["input_ids"]), "labels": list(row["labels"])}


def llama3(messages: list[dict], limit: int | None) -> dict | None:
    """`--template llama3`."""
    return prepare(messages, limit, "llama3")


def dated(messages: list[dict], limit: int | None) -> dict | None:
    """What ms-swift chooses for Llama 3.1 and 3.2."""
    return prepare(messages, limit, "llama3_2")


def jinja(messages: list[dict], limit: int | None) -> dict | None:
    """`--template_backend jinja`."""
    return prepare(messages, limit, "llama3", template_backend="jinja")


answer(
    {"swift": llama3, "swift-dated": dated, "swift-jinja": jinja},
    {
        "swift": lambda: prepare(ASKED["conversations"]["long"], AMPLE, "llama3"),
        "swift-dated": lambda: llama3(ASKED["conversations"]["toy"], None),
        "swift-jinja": lambda: llama3(ASKED["conversations"]["toy"], None),
    },
)
