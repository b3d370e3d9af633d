"""What several test files share: the shipped tokenizer and rows. Nothing here touches the network."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub, which reads it once

import gc

import pytest

from newsft.paths import ASSETS

# The rest is imported where it is needed: the process that hands out the tests reads this file too, before it starts the others.


BROWSER = "tests/browser"
# By the seconds that they took, the longest first; what is not named comes behind them, in the order of the files.
LONG = (
    BROWSER,
    "tests/evaluation/test_quality.py",
    "tests/runs/test_runs.py",
    "tests/inference/test_engine.py",
    "tests/evaluation/test_generate.py",
    "tests/training/test_processes.py",
    "tests/publish/test_static.py",
    "tests/evaluation/test_run.py",
    "tests/inference/test_transformers_serve.py",
    "tests/mini/test_pretrain.py",
    "tests/training/test_survival.py",
    "tests/training/test_sft.py",
    "tests/training/test_first_step.py",
    "tests/test_space.py",
)


def find_unit(nodeid: str) -> str:
    """What one process runs to its end: a file, or all that has a browser, of which two at once would take each other's cores."""
    file = nodeid.split("::")[0]
    return BROWSER if file.startswith(BROWSER) else file


def pytest_collection_modifyitems(items):
    """The long units first, so that the processes end together."""
    places = {unit: place for place, unit in enumerate(LONG)}
    items.sort(key=lambda item: places.get(find_unit(item.nodeid), len(LONG)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Units instead of files where the tests are spread over processes."""
    from xdist.scheduler import LoadFileScheduling

    class Units(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return find_unit(nodeid)

    config.option.loadscopereorder = False
    return Units(config, log)


def pytest_collection_finish(session):
    """What was imported stays: no test looks through it for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tokenizer():
    """The miniature's tokenizer; tests that change it work on a copy."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(ASSETS / "mini")


@pytest.fixture(scope="session")
def chat(tokenizer):
    """The miniature's chat format."""
    from newsft.encoding.chat import ChatFormat

    return ChatFormat(tokenizer)


@pytest.fixture(scope="session")
def rows():
    """The 991 shipped rows."""
    from newsft.data.rows import load_rows

    return load_rows(str(ASSETS / "news.jsonl"))


@pytest.fixture(scope="session")
def engine(rows):
    """The shipped miniature with its adapter, as the page loads it, but for tests that ask the same twice: each answer is computed."""
    from newsft.data.rows import split_rows
    from newsft.inference.engine import load_engine
    from newsft.recipe import RECIPES

    examples = split_rows(rows, test_ratio=RECIPES["mini"].test_ratio).examples
    return load_engine(RECIPES["mini"], examples=examples, shares=False)


@pytest.fixture(scope="session")
def browser():
    """Chromium, one for all files of a process: Playwright runs only once in it."""
    from playwright.sync_api import sync_playwright

    from tests.chromium import CHROMIUM, FLAGS

    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (scripts/install-browser does it)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()
