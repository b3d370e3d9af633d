"""What the token tab shows of a row is what the trainer's collator makes of it."""

import re

import pytest

from newsft.encoding.row import IGNORED
from newsft.lessons.source import Shelf
from newsft.models.load import load_base
from newsft.page.tabs.tokens import show_batch, show_row
from newsft.recipe import RECIPES
from newsft.training.preflight import encode_rows
from newsft.training.sft import build_trainer
from tests.page.test_lesson_input import held

ROWS = range(100, 991, 4)[
    :200
]  # 99 of the test half and 101 of the training half; the row's text is told to the page by its number


def columns(tokens):
    return [tokens[name] for name in ("id", "label", "mask")]


@pytest.fixture(scope="module")
def trained(rows, tmp_path_factory):
    """The rows as batches of two from the trainer's own collator."""
    base, recipe = load_base(RECIPES["mini"].model), RECIPES["mini"]
    encoded = encode_rows(base, [rows[number] for number in ROWS], recipe)
    trainer = build_trainer(base, encoded, recipe, tmp_path_factory.mktemp("out"), callbacks=[])
    pairs = [[trainer.train_dataset[index], trainer.train_dataset[index + 1]] for index in range(0, len(ROWS), 2)]
    return [{name: values.tolist() for name, values in trainer.data_collator(pair).items()} for pair in pairs]


def test_two_hundred_rows_on_the_page_are_those_of_the_trainers_batches(rows, chat, trained):
    shelf, padded = Shelf(rows, chat), 0
    assert len(ROWS) == 200 == 2 * len(trained)
    for index, number in enumerate(ROWS):
        batch = trained[index // 2]
        ids, labels, mask = (batch[name][index % 2] for name in ("input_ids", "labels", "attention_mask"))
        (shown,) = held(show_row(shelf, "ko", "model", "row", number, "", "", ""))
        length = sum(mask)
        assert columns(shown) == [ids[:length], labels[:length], mask[:length]], number
        assert set(labels[length:]) <= {IGNORED} and set(mask[length:]) <= {0}
        padded += len(ids) - length
    assert padded > 1_000


def test_bands_of_two_rows_are_the_trainers_batch_with_its_padding(rows, chat, trained):
    shelf = Shelf(rows, chat)
    for index in range(0, len(ROWS), 20):
        batch = trained[index // 2]
        shown = show_batch(shelf, "ko", "model", "row", ROWS[index], "", "", "", ROWS[index + 1])
        for side, band in enumerate(re.findall(r'<div class="band"[^>]*>(.*?)</div>', shown)):
            runs = [
                (kind.split(), int(count))
                for kind, count in re.findall(r'class="([^"]*)" style="flex-grow:(\d+)"', band)
            ]
            seen = [("t" in kind, "off" not in kind) for kind, count in runs for _ in range(count)]
            assert seen == [
                (label != IGNORED, bool(mask))
                for label, mask in zip(batch["labels"][side], batch["attention_mask"][side], strict=True)
            ]
        assert side == 1
