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
