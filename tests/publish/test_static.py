"""The page as files: everything in it was made by the page's own functions, it asks nobody, and it is small."""

import base64
import dataclasses
import gzip
import json
import re

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from newsft.errors import UserError
from newsft.page.html import evaluation
from newsft.page.tabs.template import show_template
from newsft.page.tabs.tokens import show_row
from newsft.page.texts import say
from newsft.publish import static
from newsft.recipe import RECIPES

ROWS, MOST_BYTES = 23, 15_000_000


@pytest.fixture(scope="session")
def content():
    return static.read_content(dataclasses.replace(RECIPES["mini"], max_new_tokens=24), ROWS)


@pytest.fixture(scope="session")
def folder(content, tmp_path_factory):
    made = tmp_path_factory.mktemp("static") / "page"
    static.write_folder(made, content)
    return made


def read_table(path) -> list:
    packed = re.fullmatch(rf'newsft\.take\("{path.stem}","([^"\\\s]+)"\)\n', path.read_text(encoding="ascii"))
    return json.loads(gzip.decompress(base64.b85decode(packed[1])))


def read_entry(folder, name: str, number: int, language: str) -> str:
    size = static.SIZES[name]
    line = (number % size) * len(static.CODES) + static.CODES.index(language)
    columns = read_table(folder / "data" / f"{name}-{number // size}.js")
    return "".join(pieces[numbers[line]] for pieces, numbers in columns)


@pytest.mark.parametrize("language", static.CODES)
def test_panels_are_what_the_live_page_shows(folder, content, language):
    shelf, row = content.shelf, ("row", 21, "", "", "")
    assert read_entry(folder, "template", 22, language) == show_template(
        shelf, language, "llama3", *row, False, "official"
    )
    assert read_entry(folder, "tokens", 22, language).startswith(show_row(shelf, language, "llama3", *row))
    assert read_entry(folder, "tokens", 0, language).startswith(show_row(shelf, language, "llama3", *static.TOY))
    shown = evaluation.format_row(content.results.rows[494], language=language)
    assert read_entry(folder, "answers", 8 + 494, language).replace("<details open>", "<details>", 1) == shown


def test_both_answers_to_all_rows_and_examples_can_be_searched(folder, content):
    ((texts,),) = [read_table(folder / "data" / "search-answers.js")]
    assert len(texts) == 8 + 495
    one = content.results.rows[12]
    assert one.article.lower() in texts[20] and all(side.text.lower() in texts[20] for side in one.answers.values())
    assert read_entry(folder, "answers", 0, "ko").count('<section class="side') == 2


def test_folder_is_a_static_space_and_asks_nobody(folder):
    front = yaml.safe_load((folder / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert front["sdk"] == "static" and (folder / front["app_file"]).exists()
    for name in ("index.html", "en.html"):
        page = (folder / name).read_text(encoding="utf-8")
        assert re.findall(r"""(?:src|href)=["'](?!en\.html|index\.html|#)[^"']*""", page) == []
        assert "default-src 'none'" in page


def test_all_rows_would_be_small(folder, content):
    """In full the folder takes minutes to write, so the share of the rows is multiplied."""
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    by_row = sum(size for path, size in sizes.items() if path.name.startswith(("template-", "tokens-", "search-rows")))
    every = len(content.split.rows)
    assert sum(sizes.values()) - by_row + by_row / (ROWS + 1) * every < MOST_BYTES


def test_folder_with_something_in_it_is_left_alone(folder, content):
    with pytest.raises(UserError, match="not an empty folder"):
        static.write_folder(folder, content)


@pytest.fixture
def page(browser, folder):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"a script failed: {error}"))
    page.on("console", lambda line: pytest.fail(line.text) if line.type == "error" else None)
    page.on("request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or pytest.fail(request.url))
    page.goto((folder / "index.html").as_uri())
    yield page
    context.close()


def open_tab(page, name: str, language: str = "ko"):
    page.get_by_role("tab", name=say(f"tab_{name}", language)).click()
    return page.locator(f"#panel-{name}")


def test_answers_are_found_filtered_and_opened_from_the_disk(page, content):
    lines = page.locator("#list tbody tr:visible")
    expect(lines).to_have_count(8 + 495)
    one = content.results.rows[12]
    page.fill("#query", one.article.strip().split("\n")[1][:30])
    expect(lines).to_have_count(1)
    page.click("[data-entry='20']")
    expect(page.locator("#opened h3").first).to_contain_text("12번 행")
    assert page.locator("#opened .side").count() == 3
    expect(page.locator("#opened .tuned .raw")).to_have_text(one.answers["tuned"].text)
    page.fill("#query", "")
    page.select_option("#filter", "unreadable")
    expect(lines).to_have_count(len(content.results.filtered("unreadable")))
    page.select_option("#filter", "all")
    page.click("[data-entry='0']")
    expect(page.locator("#opened .columns > .side")).to_have_count(2)
    expect(page.locator("#opened .receipt")).to_be_attached()


def test_lesson_tabs_show_the_row_that_was_opened_and_its_tokens_can_be_walked(page, content):
    page.click("[data-entry='20']")
    panel = open_tab(page, "template")
    expect(panel.locator(".card.user p")).to_have_text(content.split.rows[12]["user_prompt"], use_inner_text=True)
    panel = open_tab(page, "tokens")
    chips = panel.locator(".tokens i")
    chips.nth(5).click()
    expect(panel.locator(".passport .big")).to_have_text(chips.nth(5).inner_text())
    page.keyboard.press("ArrowRight")
    expect(chips.nth(6)).to_be_focused()
    panel.get_by_role("button", name=say("static_next", "ko")).click()
    expect(panel.locator("input.row")).to_have_value("13")
    words = content.split.rows[20]["user_prompt"].strip()[:25]
    panel.locator(".find").fill(words)
    panel.locator(".find").press("Enter")
    expect(panel.locator("input.row")).to_have_value("20")


def test_lab_evaluation_and_english(page):
    panel = open_tab(page, "lab")
    expect(panel.locator("#pair .verdict.fails")).to_be_visible()
    page.select_option("#lab-conversation", "3")
    page.select_option("#lab-fault", "4")
    expect(panel.locator("#pair .pane")).to_have_count(2)
    page.select_option("#trainer-key", "2")
    expect(panel.locator("#trainer-rows .trainer, #trainer-rows dl").first).to_be_visible()
    expect(open_tab(page, "evaluation").locator("svg").first).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(open_tab(page, "tokens", "en").locator(".passport h4")).to_have_text(say("passport", "en"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_tab_of_the_files_has_a_serious_violation(page, scheme):
    page.emulate_media(color_scheme=scheme)
    page.reload()
    page.click("[data-entry='0']")
    expect(page.locator("#opened .side").first).to_be_visible()
    found = {}
    for name in ("compare", "template", "tokens", "lab", "evaluation"):
        panel = open_tab(page, name)
        page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")
        expect(panel).to_be_visible()
        for violation in Axe().run(page).response["violations"]:
            if violation["impact"] in ("serious", "critical"):
                found[f"{name}: {violation['id']}"] = [node["html"][:160] for node in violation["nodes"][:3]]
    assert found == {}
