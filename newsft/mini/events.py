"""Lines of news with the place of the company left open: single sentences and round-ups of several, in any company's name.

What is good and what is bad for a share is said in thousands of ways; whole articles bring some hundred of them each, these lines the rest.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsft.mini import phrases
from newsft.mini.boards import draw_board
from newsft.mini.effects import ask_each, ask_names, ask_one, ask_side, ask_sides, ask_sides_and_words
from newsft.mini.exercises import Conversation, open_conversation
from newsft.mini.keywords import Keywords, ask_words
from newsft.mini.korean import PARTICLES, with_particle
from newsft.mini.reading import because, clean

FOLDER = Path(__file__).with_name("events")  # TSV: effects, text
SLOT = re.compile(
    r"\{([A-C])\}("
    + "|".join(sorted({form for forms in PARTICLES.values() for form in forms}, key=len, reverse=True))
    + r")?(?![가-힣])|\{([A-C])\}"
)
AGAIN = 0.35  # of the further lines are about a company that was named before, which stands in a list but once
BULLETS = ["", "", "▶ ", "▲ ", "- ", "■ ", "• "]


@dataclass(frozen=True)
class Event:
    """A line with slots {A}, {B}, {C}, and what it does to the company in each: '+', '-' or '0' (only named)."""

    effects: dict[str, str]
    text: str


@dataclass(frozen=True)
class Told:
    """An event told of companies: name -> '+', '-' or '0'."""

    effects: dict[str, str]
    text: str


def read_events(folder: Path | None = None) -> list[Event]:
    """All lines, in the order of their files."""
    found = []
    for path in sorted((folder or FOLDER).glob("**/*.tsv")):
        for line in filter(None, path.read_text(encoding="utf-8").splitlines()):
            label, text = line.split("\t")
            found.append(Event({slot: sign for slot, sign in re.findall(r"([A-C])([+\-0])", label)}, text))
    return found


def tell(
    rng: random.Random, event: Event, *, invent: Callable[[random.Random], str], taken: Sequence[str] = ()
) -> Told:
    """The line with companies in its slots, other than those `taken`, each with the particle that fits it."""
    names: dict[str, str] = {}
    while set(names) < set(event.effects):
        name = invent(rng)
        if not any(name in other or other in name for other in [*names.values(), *taken]):
            names[next(slot for slot in event.effects if slot not in names)] = name

    def fill(match: re.Match) -> str:
        name, particle = names[match[1] or match[3]], match[2]
        closed = next((forms[0] for forms in PARTICLES.values() if particle in forms), None)
        return with_particle(name, closed) if closed else name

    return Told({names[slot]: sign for slot, sign in event.effects.items()}, SLOT.sub(fill, event.text))


def _tell_again(rng: random.Random, events: Sequence[Event], told: Told | None) -> Told | None:
    """Another line about the company of a line, to the same effect; None where none is found at once."""
    if told is None or len(told.effects) != 1:
        return None
    (name, sign), *_ = told.effects.items()
    event = next((one for one in rng.choices(events, k=20) if one.effects == {"A": sign}), None)
    return tell(rng, event, invent=lambda rng: name) if event else None


def draw_events(
    rng: random.Random,
    events: Sequence[Event],
    keywords: Keywords,
    *,
    invent: Callable[[random.Random], str],
    most: int = 6,
    boards: float = 0.0,
) -> Conversation:
    """One line, or a round-up of up to `most`, or for a share of `boards` a board (`newsft.mini.boards`), and one to six questions: what it does to a company, to which companies it is good or bad, and why."""
    if rng.random() < boards:
        told = [Told({name: sign}, text) for name, sign, text in draw_board(rng, invent=invent)]
    else:
        told = []
        for _ in range(rng.choice([1, 1, 2, 2, 3, 4, most])):
            taken = [name for one in told for name in one.effects]
            again = rng.choice(told) if told and rng.random() < AGAIN else None
            told.append(_tell_again(rng, events, again) or tell(rng, rng.choice(events), invent=invent, taken=taken))
    bullet = rng.choice(BULLETS)
    news = rng.choice(["\n", "\n", " "] if bullet == "" else ["\n"]).join(bullet + one.text for one in told)
    effects = {name: sign for one in told for name, sign in one.effects.items()}
    effects = dict(sorted(effects.items(), key=lambda one: news.find(one[0])))
    asked: dict[str, str] = {}
    for _ in range(rng.choice([1, 2, 3] if len(effects) < 2 else [2, 3, 4, 6])):
        asked.setdefault(*_ask(rng, told, effects, keywords))
    return open_conversation(
        rng, news, list(asked.items()), {name: sign for name, sign in effects.items() if sign != "0"}
    )


def _ask(rng: random.Random, told: list[Told], effects: dict[str, str], keywords: Keywords) -> tuple[str, str]:
    form = rng.random()
    if effects and form < 0.25:
        words = {
            sign: [word for one in told if set(one.effects.values()) == {sign} for word in keywords.find(one.text)]
            for sign in "+-"
        }
        if all(words[sign] or sign not in effects.values() for sign in words):
            return ask_sides_and_words(rng, effects, words)
    if form < 0.32:
        asked = ask_words(rng, list(dict.fromkeys(word for one in told for word in keywords.find(one.text))))
        if asked:
            return asked
    if effects and form < 0.92:
        ask = rng.choices([ask_one, ask_each, ask_side, ask_sides, ask_names], [10, 20, 20, 40, 10])[0]
        return ask(rng, effects)
    if form < 0.95:
        moved = [name for name, sign in effects.items() if sign != "0"]
        return rng.choice(
            phrases.QUESTIONS["is_stock_related"]
        ), f"네, {', '.join(moved)} 관련 뉴스입니다." if moved else "아니요, 특정 종목과 관련이 없는 뉴스입니다."
    for one in rng.sample(told, len(told)):
        reason = because(clean(one.text))
        moved = [name for name, sign in one.effects.items() if sign != "0"]
        if reason and len(moved) == 1:
            word = "긍정적" if one.effects[moved[0]] == "+" else "부정적"
            return f"{moved[0]}에 왜 {word}입니까?", reason
    one = rng.choice(told)
    return f"{one.text.split()[0]}로 시작하는 줄을 그대로 옮겨 주세요.", clean(one.text)
