import pytest

from newsft.data.messages import row_messages
from newsft.encoding import tokens
from newsft.encoding.row import IGNORED
from newsft.inference.token_loss import take_xray
from newsft.inference.types import Xray
from newsft.page.html.tokens import show_text
from newsft.page.html.xray import format_xray
from newsft.page.texts import say
from tests.page.html.test_compare import EVIL, LANGUAGES, Page


def draw(chat, encoded, losses, language="ko"):
    return format_xray(Xray(encoded, losses), tokens.read_tokens(chat, encoded), language=language)


@pytest.fixture(scope="module")
def encoded(chat, rows):
    return chat.encode_row(row_messages(rows[0]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_answer_stands_there_once_per_side_and_once_as_the_difference(engine, chat, encoded, language):
    xray = take_xray(engine, encoded)
    html = format_xray(xray, tokens.read_tokens(chat, encoded), language=language)
    page = Page(html)
    answer = "".join(show_text(token.text) for token in tokens.read_tokens(chat, encoded) if token.label != IGNORED)
    assert page.text.count(answer) == 3
    for side in ("base", "tuned"):
        assert f"{xray.mean(side):.3f}" in page.text and f"{xray.mean(side, prompt_too=True):.3f}" in page.text
    assert say("xray_difference", language) in page.text


def test_costs_of_a_syllable_s_parts_are_added_and_tints_follow_the_loss(chat):
    encoded = chat.encode_row([{"role": "user", "content": "가"}, {"role": "assistant", "content": "뷁"}])
    read = tokens.read_tokens(chat, encoded)
    parts = [token.position for token in read if token.origin == "answer"]
    assert len(parts) > 1
    losses = [None] + [0.0] * (len(encoded) - 1)
    for at in parts:
        losses[at] = 1.25
    html = draw(chat, encoded, {"base": losses, "tuned": [None] + [0.0] * (len(encoded) - 1)})
    assert (
        f'title="{1.25 * len(parts):.2f}">뷁' in html
        and f'class="gain" style="--share:{round(min(1.25 * len(parts) / 6, 1) * 100)}%"' in html
    )


def test_prompt_is_not_tinted_and_markup_does_not_run(chat):
    encoded = chat.encode_row([{"role": "user", "content": "비밀"}, {"role": "assistant", "content": EVIL}])
    page = Page(draw(chat, encoded, {"base": [None] + [0.5] * (len(encoded) - 1)}))
    assert "비밀" not in page.text and not {"script", "img"} & set(page.tags)
    assert "".join(show_text(character) for character in EVIL) in page.text
