"""What a reader who comes costs: no description of the page's components, which are described once, and a document that is compressed."""

import gradio as gr
import httpx
import pytest
from gradio.blocks import BlocksConfig
from gradio.state_holder import SessionState

from newsft.data.rows import split_rows
from newsft.page.page import build_page
from newsft.recipe import RECIPES
from tests.serve import serve_here


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


@pytest.mark.parametrize("path", ["/?lang=en", "/config"])
def test_the_documents_are_compressed_for_those_who_can_read_it(engine, rows, path):
    with serve_here(engine, split_rows(rows, test_ratio=0.5)) as url:
        plain = httpx.get(url + path, headers={"accept-encoding": "identity"})
        packed = httpx.get(url + path, headers={"accept-encoding": "gzip, br"})
        script = httpx.get(f"{url}/theme.css", headers={"accept-encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers and packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text and packed.num_bytes_downloaded < plain.num_bytes_downloaded / 4
    assert packed.headers["content-security-policy"] == plain.headers["content-security-policy"]
    assert script.headers["content-encoding"] == "br"  # what Gradio compresses itself is compressed once
