import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from newsft.page.texts import say
from tests.browser.conftest import open_page
from tests.browser.test_lesson import SECONDS, SHOWN

SEEN = {"compare": "#news textarea", **SHOWN, "training": "#arithmetic .arithmetic", "evaluation": "#scores .chart"}

COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}  # all that a theme changes
VIOLATIONS = {"resultTypes": ["violations"]}
RULES = {"light": VIOLATIONS, "dark": VIOLATIONS | {"runOnly": COLOURS}}
# Colours fade in; a circle that turns as long as something loads is not waited for.
STILL = "() => document.getAnimations().every(one => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)"


DARK = "dark => document.body.classList.toggle('dark', dark)"  # what ?__theme= sets; the rest of the page is the same


@pytest.mark.parametrize("language", ["ko", "en"])
def test_no_tab_has_a_serious_violation_in_either_theme(browser, address, language):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    open_page(page, f"{address}?lang={language}&__theme=light")
    page.locator("#examples button").first.click()
    page.wait_for_function("() => document.querySelector('#news textarea').value")
    page.click("button#compare")
    for side in ("base", "tuned"):
        page.wait_for_selector(f'#{side} section[aria-busy="false"] .stats', timeout=SECONDS)
    found = {}
    for name, shown in SEEN.items():
        page.get_by_role("tab", name=say(f"tab_{name}", language)).click()
        expect(page.locator(shown).first).to_be_visible(timeout=SECONDS)
        for theme in ("light", "dark"):
            page.evaluate(DARK, theme == "dark")
            page.wait_for_function(STILL)
            for violation in Axe().run(page, options=RULES[theme]).response["violations"]:
                if violation["impact"] in ("serious", "critical"):
                    found[f"{name}, {theme}: {violation['id']}"] = [
                        [node["html"][:160], node["failureSummary"][:300]] for node in violation["nodes"][:4]
                    ]
        page.evaluate(DARK, False)
    context.close()
    assert not found, json.dumps(found, indent=1, ensure_ascii=False)


def test_end_of_a_comparison_is_announced(page):
    page.locator("#news textarea").fill("가온미르전자가 공급 계약을 맺었다.")
    page.click("button#compare")
    expect(page.locator("p.sr[role=status]")).to_contain_text(say("tuned", "ko"), timeout=SECONDS)
