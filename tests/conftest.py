"""What several test files share: the shipped tokenizer and rows. Nothing here touches the network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once

import pytest
from playwright.sync_api import sync_playwright
from transformers import AutoTokenizer

from newsft.data.rows import load_rows, split_rows
from newsft.encoding.chat import ChatFormat
from newsft.inference.engine import load_engine
from newsft.paths import ASSETS
from newsft.recipe import RECIPES
from tests.chromium import CHROMIUM, FLAGS


@pytest.fixture(scope="session")
def tokenizer():
    """The miniature's tokenizer; tests that change it work on a copy."""
    return AutoTokenizer.from_pretrained(ASSETS / "mini")


@pytest.fixture(scope="session")
def chat(tokenizer):
    """The miniature's chat format."""
    return ChatFormat(tokenizer)


@pytest.fixture(scope="session")
def rows():
    """The 991 shipped rows."""
    return load_rows(str(ASSETS / "news.jsonl"))


@pytest.fixture(scope="session")
def engine(rows):
    """The shipped miniature with its adapter, as the page loads it, but for tests that ask the same twice: each answer is computed."""
    examples = split_rows(rows, test_ratio=RECIPES["mini"].test_ratio).examples
    return load_engine(RECIPES["mini"], examples=examples, shares=False)


@pytest.fixture(scope="session")
def browser():
    """Chromium, one for all files of a process: Playwright runs only once in it."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (scripts/install-browser does it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
