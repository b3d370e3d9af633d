"""The processes of one training: one, or as many as `torchrun` or `accelerate launch` started, numbered by their environment."""

import os


def count() -> int:
    """How many processes train together, each with rows of its own."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this is the one that writes files and prints."""
    return int(os.environ.get("RANK", "0")) == 0


def local_number() -> int:
    """This process's number on its machine, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def describe_fallback(*, gpus: int) -> str | None:
    """What `accelerate launch` does here without a word in the place of what its configuration asks for; None where it does that.

    `gpus` is how many this process sees.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true" and not gpus:
        return "FSDP divides the layers among GPUs and there is none here: every process holds the whole model, as with assets/accelerate/ddp.yaml."
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() == "true" and count() == 1:
        return "accelerate launch starts one process on a CPU, however many were asked for; for several use torchrun --nproc_per_node N train.py."
    return None
