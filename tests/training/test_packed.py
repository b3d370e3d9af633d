"""What rows share, and the one sequence that they become; its loss and gradients: test_trainer.py."""

from newsft.encoding.row import IGNORED
from newsft.training.packed import join, shared_length


def row(ids: list[int], *, trained: int) -> dict:
    """A row whose last `trained` tokens are labels."""
    return {"input_ids": ids, "labels": [IGNORED] * (len(ids) - trained) + ids[len(ids) - trained :]}


def test_shared_length_is_the_common_beginning():
    assert shared_length([row([1, 2, 3, 4, 5], trained=1), row([1, 2, 3, 9, 5], trained=1)]) == 3
    assert shared_length([row([1, 2], trained=1), row([7, 2], trained=1)]) == 0


def test_shared_length_leaves_each_row_a_token_and_its_labels():
    assert shared_length([row([1, 2, 3], trained=0), row([1, 2, 3], trained=0)]) == 2
    assert shared_length([row([1, 2, 3, 4, 5], trained=2), row([1, 2, 3, 4, 5], trained=3)]) == 1
    assert shared_length([row([1, 2, 3], trained=3), row([1, 2, 3], trained=3)]) == 0


def test_one_sequence_holds_every_token_of_every_row_once():
    joined, borders = join([row([1, 2, 3, 4], trained=1), row([1, 2, 5, 6, 7], trained=2)])
    assert joined["input_ids"].tolist() == [[1, 2, 3, 4, 5, 6, 7]] and borders == (2, 4, 7)
    assert joined["position_ids"].tolist() == [[0, 1, 2, 3, 2, 3, 4]]
    assert joined["labels"].tolist() == [[IGNORED, IGNORED, IGNORED, 4, IGNORED, 6, 7]]


def test_rows_without_a_common_beginning_stand_one_behind_the_other():
    joined, borders = join([row([1, 2], trained=1), row([3, 4], trained=1)])
    assert joined["position_ids"].tolist() == [[0, 1, 0, 1]] and borders == (0, 2, 4)
