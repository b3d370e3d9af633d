"""What could come next: the probabilities are those of a plain pass of transformers, with the adapter off and on."""

import numpy as np
import pytest
import torch

from newsft.errors import UserError
from newsft.inference.engine import LocalEngine
from newsft.inference.passes import _rank
from newsft.inference.types import LIKELIEST, NextTokens
from tests.inference.stand_in_gpu import Gpu, build_zero

PLACES = 70  # more than are worked on together


@pytest.fixture(scope="module")
def brief(engine):
    return LocalEngine(engine.loaded, max_new_tokens=PLACES)


@pytest.fixture(scope="module")
def finished(brief, rows):
    *_, last = brief.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    return last


def plain(engine, ids, side):
    """Softmax of transformers' own forward pass over a whole row, (tokens, vocabulary)."""
    model, batch = engine.loaded.model, torch.tensor([ids])
    with torch.inference_mode():
        if side == "tuned":
            return model(input_ids=batch).logits[0].float().softmax(-1)
        with model.disable_adapter():
            return model(input_ids=batch).logits[0].float().softmax(-1)


@pytest.mark.parametrize("of", ["base", "tuned"])
def test_probabilities_are_those_of_a_plain_pass_at_every_place(brief, finished, of):
    seen = brief.look_ahead(finished, of)
    prompt, ids = finished.prompt.ids, seen.ids
    assert len(ids) == finished.answers[of].tokens > 64
    for side in ("base", "tuned"):
        right = plain(brief, [*prompt, *ids], side)[len(prompt) - 1 :]
        tokens, chances = seen.likeliest[side]
        assert tokens.shape == chances.shape == (len(ids) + 1, LIKELIEST)
        there = right.gather(1, torch.tensor(tokens, dtype=torch.long)).numpy()
        np.testing.assert_allclose(chances, there, atol=2e-5)
        np.testing.assert_allclose(chances, right.topk(LIKELIEST).values.numpy(), atol=2e-5)
        assert (np.diff(chances, axis=1) <= 0).all() and (chances.sum(1) <= 1 + 1e-5).all()


@pytest.mark.parametrize("of", ["base", "tuned"])
def test_what_a_side_wrote_is_what_it_holds_for_likeliest(brief, finished, of):
    seen = brief.look_ahead(finished, of)
    assert seen.likeliest[of][0][:-1, 0].tolist() == seen.ids
    other = seen.likeliest["base" if of == "tuned" else "tuned"][0][:, 0]
    parts = next(place for place in range(len(seen.ids) + 1) if other[place] != seen.likeliest[of][0][place, 0])
    assert seen.parts == parts


def test_first_place_is_that_of_the_receipt(brief, finished):
    seen = brief.look_ahead(finished, "tuned")
    assert seen.parts == 0 or finished.difference["largest"] > 0


def test_sides_that_agree_throughout_part_nowhere():
    columns = (np.array([[1, 2], [3, 4]]), np.array([[0.6, 0.4], [0.5, 0.5]]))
    assert NextTokens([1], {"base": columns, "tuned": columns}).parts is None
    other = (np.array([[1, 2], [4, 3]]), columns[1])
    assert NextTokens([1], {"base": columns, "tuned": other}).parts == 1
    assert hash(NextTokens([1], {"base": columns}))  # a session keeps it, and Gradio hashes what a session keeps


def test_of_equally_likely_tokens_the_smaller_id_comes_first():
    chances = torch.tensor([0.1, 0.2, 0.1, 0.2, 0.1, 0.1, 0.2])
    assert [token for token, _ in _rank(chances, 5)] == [1, 3, 6, 0, 2]
    assert [token for token, _ in _rank(torch.full((9,), 1 / 9), 5)] == [0, 1, 2, 3, 4]
    assert len(_rank(torch.tensor([0.5, 0.5]), 5)) == 2


def test_others_are_answered_meanwhile_and_undisturbed(brief, finished, rows):
    running = brief.compare(rows[1]["user_prompt"], system_prompt=rows[1]["system_prompt"])
    next(running)
    first = brief.look_ahead(finished, "tuned")
    *_, beside = running
    *_, alone = brief.compare(rows[1]["user_prompt"], system_prompt=rows[1]["system_prompt"])
    assert {side: one.text for side, one in beside.answers.items()} == {
        side: one.text for side, one in alone.answers.items()
    }
    again = brief.look_ahead(finished, "tuned")
    np.testing.assert_array_equal(first.likeliest["tuned"][0], again.likeliest["tuned"][0])


def test_it_works_where_each_call_has_a_process_of_its_own(engine, rows):
    gpu = Gpu()
    zero = build_zero(engine, gpu, max_new_tokens=8)
    *_, last = zero.compare(rows[0]["user_prompt"], system_prompt=rows[0]["system_prompt"])
    assert zero.look_ahead(last, "base").likeliest["base"][0][:-1, 0].tolist() == last.answers["base"].ids


def test_answer_of_an_adapter_that_is_gone_is_refused(brief, finished):
    gone = finished.__class__(**vars(finished) | {"adapter": brief.adapters[0].__class__("gone", "adapter-0")})
    with pytest.raises(UserError) as caught:
        brief.look_ahead(gone, "tuned")
    assert caught.value.key == "unknown_adapter"
