"""Questions about what a piece of news does to each company in it: to whom it is good, to whom bad, one by one or as lists."""

import random

from newsft.mini import phrases
from newsft.mini.finding import Turn, list_values
from newsft.mini.keywords import choose_words
from newsft.mini.korean import with_particle

SAID = {"+": "긍정적입니다.", "-": "부정적입니다.", "0": "영향이 없습니다."}
SHORT = {"+": "긍정적", "-": "부정적", "0": "영향 없음"}
SIDES = {"negative": "-", "positive": "+"}


def sides_of(effects: dict[str, str]) -> dict[str, list[str]]:
    """'negative' and 'positive' -> the companies of that side, in their order in `effects`."""
    return {side: [name for name, sign in effects.items() if sign == mark] for side, mark in SIDES.items()}


def ask_one(rng: random.Random, effects: dict[str, str]) -> Turn:
    """What the news does to one company."""
    name = rng.choice(list(effects))
    asks = [
        f"{name}에 긍정적입니까, 부정적입니까?",
        f"이 뉴스가 {name}에 주는 영향은 무엇입니까?",
        f"{with_particle(name, '은')} 어떤 영향을 받습니까?",
        f"{name} 주가에 호재입니까, 악재입니까?",
    ]
    return rng.choice(asks), SAID[effects[name]]


def ask_each(rng: random.Random, effects: dict[str, str]) -> Turn:
    """What it does to every company, one after the other: as many decisions as there are companies."""
    short = {name: SHORT[sign] for name, sign in effects.items()}
    asked = rng.choice(
        ["회사마다 어떤 영향을 받는지", "나오는 회사 차례대로 긍정적인지 부정적인지", "각 회사에 호재인지 악재인지"]
    )
    form = rng.random()
    if form < 0.5:
        return f"{asked} 파이썬 dictionary로 적어 주세요.", str(short)
    if form < 0.75:
        return f"{asked} 한 줄에 하나씩 적습니다.", "\n".join(f"{name}: {sign}" for name, sign in short.items())
    return f"{asked} 이름 없이 리스트로만 적어 주세요.", str(list(short.values()))


def ask_side(rng: random.Random, effects: dict[str, str]) -> Turn:
    """The companies of one side."""
    side = rng.choice(list(SIDES))
    how, answer = list_values(rng, sides_of(effects)[side])
    return f"{rng.choice(phrases.QUESTIONS[f'{side}_impact_stocks'])} {how}", answer


def ask_sides(rng: random.Random, effects: dict[str, str]) -> Turn:
    """The companies of both sides, as a dict of two lists."""
    values = {f"{side}_impact_stocks": found for side, found in sides_of(effects).items()}
    if rng.random() < 0.2:
        values = dict(reversed(values.items()))
    meanings = "\n".join(f"{key}: {rng.choice(phrases.KEY_MEANINGS[key])}" for key in values)
    return f"답은 파이썬 dictionary로 씁니다.\n{meanings}", str(values)


def ask_sides_and_words(rng: random.Random, effects: dict[str, str], words: dict[str, list[str]]) -> Turn:
    """Both sides, each with up to four words of its lines (sign -> words), as a dict of four lists."""
    values: dict[str, list[str]] = {}
    for side, found in sides_of(effects).items():
        values |= {
            f"{side}_impact_stocks": found,
            f"{side}_keywords": choose_words(rng, list(dict.fromkeys(words[SIDES[side]])), rng.choice([2, 3, 3, 4])),
        }
    meanings = "\n".join(f"{key}: {rng.choice(phrases.KEY_MEANINGS[key])}" for key in values)
    return f"답은 파이썬 dictionary로 씁니다.\n{meanings}", str(values)


def ask_names(rng: random.Random, effects: dict[str, str]) -> Turn:
    """All companies in turn, whatever the news does to them."""
    how, answer = list_values(rng, list(effects))
    return (
        f"{rng.choice(['회사 이름을 나오는 차례대로 뽑아 주세요.', '어느 회사가 나옵니까?', '회사를 모두 적어 주세요.'])} {how}",
        answer,
    )
