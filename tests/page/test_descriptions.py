"""A reader who comes takes Gradio no time for the page's components: each is described once."""

import gradio as gr
import pytest
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState

from newsft.data.rows import split_rows
from newsft.page.page import build_page
from newsft.recipe import RECIPES


@pytest.fixture(scope="module")
def page(engine, rows):
    split = split_rows(rows, test_ratio=0.5)
    return build_page(engine, system_prompt="", names=("base", "adapter"), split=split, recipe=RECIPES["mini"])


@pytest.fixture(scope="module")
def box(page):
    return next(block for block in page.blocks.values() if getattr(block, "elem_id", None) == "news")


def test_a_sessions_descriptions_are_gradios(page):
    described = {number: BlocksConfig.config_for_block(number, [], block) for number, block in page.blocks.items()}
    assert len(described) > 100
    assert SessionState(page).config_values == described


def test_a_second_reader_costs_no_description(page, monkeypatch):
    first, asked = SessionState(page), []
    monkeypatch.setattr(BlocksConfig, "config_for_block", staticmethod(lambda *given: asked.append(given)))
    assert SessionState(page).config_values == first.config_values
    assert not asked


def test_what_one_reader_changes_no_other_has(page, box):
    one, other = SessionState(page), SessionState(page)
    one._update_value_in_config(box._id, "one")
    assert one.config_values[box._id]["props"]["value"] == "one"
    one[box._id] = gr.Textbox(label="changed", render=False)
    one._update_config(box._id)
    assert one.config_values[box._id]["props"]["label"] == "changed"
    assert other.config_values[box._id] == SessionState(page).config_values[box._id]
    assert other[box._id] is box and other.config_values[box._id]["props"]["label"] != "changed"
