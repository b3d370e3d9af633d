import random
import re

import pytest

from newsft.mini import names
from newsft.mini.effects import SAID
from newsft.mini.events import Event, draw_events, read_events, tell
from newsft.mini.keywords import Keywords


@pytest.fixture(scope="module")
def events():
    return read_events()


def test_every_line_names_what_it_does_to_each_of_its_companies(events):
    assert len(events) == len({event.text for event in events})
    for event in events:
        assert set(event.effects) == set(re.findall(r"\{([A-Z])\}", event.text)), event.text
        assert set(event.effects.values()) <= set(SAID)


def test_good_and_bad_are_told_about_as_often(events):
    signs = [sign for event in events for sign in event.effects.values()]
    assert 0.8 < signs.count("+") / signs.count("-") < 1.25 and signs.count("0") > 50


def test_particle_fits_the_company_in_the_slot():
    rng = random.Random(1)
    event = Event({"A": "+", "B": "-"}, "{A}은 {B}와 싸워 {A}이 이겼고 {B}를 {A}로 옮겼다. {A}·{B}")
    drawn = iter(["한솔", "도레미"])
    told = tell(rng, event, invent=lambda rng: next(drawn))
    assert told.text == "한솔은 도레미와 싸워 한솔이 이겼고 도레미를 한솔로 옮겼다. 한솔·도레미"
    assert told.effects == {"한솔": "+", "도레미": "-"}


def test_companies_of_a_round_up_are_told_apart(events):
    rng = random.Random(2)
    for _ in range(100):
        conversation = draw_events(rng, events, Keywords([]), invent=names.draw_company)
        text = " ".join(message["content"] for message in conversation.messages)
        assert not re.search(r"\{[A-C]\}", text)
        assert all(name in text for name in conversation.effects)


def test_direction_is_that_of_the_line():
    rng = random.Random(3)
    seen = set()
    for _ in range(60):
        for sign, said in SAID.items():
            conversation = draw_events(
                rng,
                [Event({"A": sign}, "{A}가 어떻게 되었다.")],
                Keywords([]),
                invent=names.draw_company,
                most=1,
                boards=0,
            )
            answers = {message["content"] for message in conversation.messages if message["role"] == "assistant"} & set(
                SAID.values()
            )
            assert answers <= {said}
            seen |= answers
    assert seen == set(SAID.values())


def test_company_told_of_again_is_moved_the_same_way_and_listed_once():
    rng = random.Random(5)
    events = [Event({"A": "+"}, "{A}가 이겼다."), Event({"A": "-"}, "{A}가 졌다.")]
    again = 0
    for _ in range(200):
        conversation = draw_events(rng, events, Keywords([]), invent=names.draw_company)
        news = next(
            message["content"] for message in conversation.messages if re.search("이겼다|졌다", message["content"])
        )
        for name, sign in conversation.effects.items():
            told = [
                line
                for line in re.split(r"(?<=다\.) |\n", news)
                if name in line and ("이겼다" in line or "졌다" in line)
            ]
            again += len(told) > 1
            assert all(("이겼다" in line) == (sign == "+") for line in told)
    assert again > 20
