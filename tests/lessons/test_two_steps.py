import re
from dataclasses import replace

import pytest

from newsft.encoding.llama3 import llama3_chat
from newsft.encoding.row import IGNORED
from newsft.lessons.conversations import TOY
from newsft.lessons.source import Shelf
from newsft.lessons.two_steps import STEPS, train_row
from newsft.page.tabs import lab
from newsft.page.tabs.lab import NO_CUT, prove, show_proof
from newsft.page.texts import say

TOY_CHOICE = ("toy", 0, "", "", "")


@pytest.fixture(scope="module")
def row(chat):
    return chat.encode_row(TOY)


def test_correct_row_has_a_loss_and_moves_the_adapter(row):
    proof = train_row(row)
    assert len(proof.losses) == STEPS and proof.losses[0] > proof.losses[1] > 0  # what was learned shows
    assert proof.moved > 0
    assert train_row(row) == proof


def test_row_without_labels_has_no_loss_and_moves_nothing(row):
    proof = train_row(replace(row, labels=[IGNORED] * len(row)))
    assert proof.losses == [0.0] * STEPS
    assert proof.moved == 0.0


def test_proof_of_the_lost_labels_stands_beside_the_correct_row(rows, chat):
    shown, proved = prove(Shelf(rows, chat), "ko", "llama3", *TOY_CHOICE, ["header_spaces"], NO_CUT)
    assert shown == show_proof(proved, "ko", "llama3", *TOY_CHOICE, ["header_spaces"], NO_CUT)
    correct, broken = re.findall(r'<tr><th scope="row">.*?</tr>', shown)
    assert say("proof_moved", "ko") in correct and "0.0000" not in correct
    assert say("proof_still", "ko") in broken and broken.count("<td>0.0000</td>") == STEPS and "0.00e+00" in broken


def test_refused_text_trains_nothing(rows):
    shown, proved = prove(Shelf(rows, None), "ko", "model", "own", 0, "", "질문", "", [], NO_CUT)
    assert say("error_answer_empty", "ko") in shown and not proved


def test_proof_trains_the_miniature_whichever_model_is_loaded(
    rows,
):  # bug: the loaded model's ids go into the miniature's smaller embedding
    assert "<table" in prove(Shelf(rows, llama3_chat()), "ko", "llama3", *TOY_CHOICE, ["no_end"], NO_CUT)[0]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("out of memory")])
def test_proof_that_fails_says_so_and_what_to_do(rows, chat, monkeypatch, error):
    def fail(row):
        raise error

    monkeypatch.setattr(lab.two_steps, "train_row", fail)
    shown, proved = prove(Shelf(rows, chat), "ko", "llama3", *TOY_CHOICE, ["no_end"], NO_CUT)
    assert say("error_model", "ko") in shown and not proved
