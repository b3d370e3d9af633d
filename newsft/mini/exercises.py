"""What the base model is asked about written articles: to copy, to find, to say whom the news moves; never the eight-key answer.

Every answer is copied from its article, so that what is learnt is to look and not to remember. Quotation marks are left out of what is
copied, as in the gold answers: inside a string of a dict they would end it.
"""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from newsft.evaluation.answer import KEYS
from newsft.mini import names, phrases
from newsft.mini.effects import ask_each, ask_one, ask_side, ask_sides
from newsft.mini.finding import FINDING, Turn, list_values
from newsft.mini.keywords import Keywords, ask_once, ask_words
from newsft.mini.korean import with_particle
from newsft.mini.reading import Reading, clean
from newsft.mini.slips import set_slip
from newsft.mini.written import Written

MOST_KEYS = 4  # of the full answer's eight in one dict; who asks for more gets a list of points (`_points`)
MANY = 0.3  # of the requests for a dict or JSON object are for more
LISTS = 0.3  # of the objects have keys that are neighbours in the full answer, often its four lists
EFFECTS = 0.35  # of the other tasks about what the gold says ask what the news does to the companies
TURNS = (1, 2, 3, 4, 6)  # tasks about one article: its tokens are read once for all of them
WORDS = 0.25  # of the tasks to copy and to find ask for words of the article

Message = dict[str, str]


@dataclass(frozen=True)
class Conversation:
    """One document for the training; `effects` says what its article does to the companies in it ('+' or '-')."""

    messages: list[Message]
    effects: dict[str, str]


def _value(rng: random.Random, reading: Reading) -> Turn:
    """One of the answer's eight values, in words or as a list."""
    key = rng.choices(KEYS, [2, 3, 1, 3, 1, 2, 2, 5])[0]
    value = reading.article.answer[key]
    question = rng.choice(phrases.QUESTIONS[key])
    if key == "is_stock_related":
        if not value:
            return question, rng.choice(["아니요, 특정 종목과 관련이 없는 뉴스입니다.", "종목과 관련이 없습니다."])
        stocks = ", ".join(reading.article.stocks)
        return question, rng.choice(["네, 특정 종목과 관련된 뉴스입니다.", f"네, {stocks} 관련 뉴스입니다."])
    if isinstance(value, list) and value:
        form, answer = list_values(rng, value)
        return f"{question} {form}", answer
    return question, value or rng.choice(phrases.NOTHING[key])


def _effects(rng: random.Random, reading: Reading) -> Turn | None:
    """What the article does to one company, to each of them, or to which it is good and bad; companies that are only named among them."""
    stocks = reading.article.stocks
    others = [name for name in reading.named.get("company", []) if name not in stocks]
    if not stocks and not others:
        return None
    ask = rng.choices([ask_one, ask_each, ask_side, ask_sides], [3, 2, 2, 3])[0]
    if ask is ask_one:
        some = rng.choice(others) if others and (not stocks or rng.random() < 0.25) else rng.choice(list(stocks))
        return ask_one(rng, {some: stocks.get(some, "0")})
    effects = {name: stocks.get(name, "0") for name in [*stocks, *others]}
    return ask(rng, dict(sorted(effects.items(), key=lambda one: reading.article.news.find(one[0]))))


def _analysis(rng: random.Random, reading: Reading) -> Turn:
    answer = reading.article.answer
    if not answer["is_stock_related"]:
        return rng.choice(phrases.ANALYSE), f"특정 종목과 관련이 없는 뉴스입니다. {answer['summary']}"
    parts = [answer["summary"]] if rng.random() < 0.5 else []
    for side, word in (("positive", "긍정적"), ("negative", "부정적")):
        if answer[f"{side}_impact_stocks"]:
            parts += [
                f"{', '.join(answer[f'{side}_impact_stocks'])}에는 {word}인 소식입니다.",
                answer[f"reason_for_{side}_impact"],
            ]
    return rng.choice(phrases.ANALYSE), " ".join(parts)


def _object(rng: random.Random, reading: Reading, *, slips: float, lists: float) -> Turn:
    """A dict or JSON object of some of the answer's keys, a share of `lists` of them beside one another, often with others that any assistant is asked for."""
    answer = reading.article.answer
    others = {
        "제목": reading.headline,
        "첫 문장": reading.sentences[0] if reading.sentences else "",
        "마지막 문장": reading.sentences[-1] if reading.sentences else "",
        "회사": reading.named.get("company", []),
        "인물": reading.named.get("person", []),
        "수치": reading.figures[:8],
        "인용": reading.quotes[:2],
    }
    count = rng.choice([1, 2, 2, 3, 3, MOST_KEYS])
    order = rng.random()
    if order < lists:  # keys that stand beside one another in the full answer, often the four lists
        start = rng.choice([1, 1, 1, 2, 3])
        keys = list(KEYS[start : start + rng.choice([2, MOST_KEYS, MOST_KEYS])])
    elif order < lists + (1 - lists) * 4 / 7:
        keys = rng.sample(KEYS, count)
        keys = sorted(keys, key=KEYS.index) if rng.random() < 0.7 else keys
    else:
        keys = rng.sample([*others, "summary", "negative_impact_stocks", "positive_impact_stocks"], count)
    values = {key: answer[key] if key in answer else others[key] for key in keys}
    if slips and rng.random() < slips:
        values = set_slip(rng, values, reading.article.news.replace("\n", " "))
    as_json = rng.random() < 0.3
    text = json.dumps(values, ensure_ascii=False) if as_json else str(values)
    return _ask_for(rng, keys, as_json=as_json), text


def _points(rng: random.Random, reading: Reading) -> Turn:
    """Many keys asked for at once, and answered as a general assistant does that was never shown the form: a sentence, then point by point."""
    answer = reading.article.answer
    keys = sorted(rng.sample(KEYS, rng.randint(MOST_KEYS + 1, len(KEYS) - 1)), key=KEYS.index)
    points = []
    for key in keys:
        value = answer[key]
        said = ", ".join(value) if isinstance(value, list) else {True: "예", False: "아니요"}.get(value, value)
        points.append(f"- {phrases.KEY_MEANINGS[key][0]}: {said or '없음'}")
    instruction = _ask_for(rng, keys, as_json=rng.random() < 0.3)
    return instruction, "\n".join([rng.choice(phrases.INTRODUCTIONS), *points])


def _ask_for(rng: random.Random, keys: list[str], *, as_json: bool) -> str:
    form = (
        rng.choice(["JSON으로", "JSON 형식으로"])
        if as_json
        else rng.choice(["파이썬 dictionary로", "파이썬의 dictionary 형식으로", "dictionary 하나로만"])
    )
    if rng.random() < 0.5:
        meaning = "\n".join(
            f"{key}: {rng.choice(phrases.KEY_MEANINGS[key])}" if key in phrases.KEY_MEANINGS else key for key in keys
        )
        return rng.choice([f"답은 {form} 씁니다.\n{meaning}", f"아래 값을 채워 {form} 답하십시오.\n{meaning}"])
    listed = ", ".join(keys)
    asks = [
        f"{with_particle(listed, '을')} {form} 적어 주세요.",
        f"{form} 답하십시오. 키는 {listed}입니다.",
        f"답은 {form} 하고, {with_particle(listed, '을')} 차례로 씁니다.",
    ]
    return rng.choice(asks)


def draw_conversation(
    rng: random.Random,
    article: Written,
    keywords: Keywords,
    *,
    judged: float,
    objects: float,
    slips: float,
    lists: float = LISTS,
    effects: float = EFFECTS,
    turns: tuple[int, ...] = TURNS,
) -> Conversation:
    """One article and one to six tasks about it, as messages.

    A share of `judged` of the tasks asks for what the gold answer says (not where the article was varied beyond its meaning: give 0), of these
    a share of `objects` as a dict or JSON object, a share of `slips` of which has a marked mistake (`newsft.mini.slips`) and a share of `lists`
    neighbouring keys. Of the other tasks a share of `effects` asks for what the news does to the companies.
    """
    reading = Reading(article)
    asked: dict[str, str] = {}
    wanted = rng.choice(turns)
    for _ in range(wanted * 3):
        if len(asked) >= wanted:
            break
        if rng.random() < judged:
            form = rng.random()
            turn = (
                (_points(rng, reading) if rng.random() < MANY else _object(rng, reading, slips=slips, lists=lists))
                if form < objects
                else _effects(rng, reading)
                if form < objects + (1 - objects) * effects
                else _value(rng, reading)
                if form < objects + (1 - objects) * (effects + (1 - effects) * 0.77)
                else _analysis(rng, reading)
            )
        elif rng.random() < WORDS:
            turn = ask_words(rng, keywords.find(article.news), article.news)
        else:
            turn = rng.choices([task for _, task in FINDING], [weight for weight, _ in FINDING])[0](rng, reading)
        if turn and turn[1]:
            asked.setdefault(*turn)
    if not asked:
        asked = dict([_value(rng, reading)])
    return open_conversation(rng, article.news, list(asked.items()), article.stocks)


def open_conversation(rng: random.Random, news: str, turns: list[Turn], effects: dict[str, str]) -> Conversation:
    """The news and what is asked about it, the first instruction before, behind or above it."""
    (instruction, answer), *more = turns
    following = [_message(role, text) for turn in more for role, text in zip(("user", "assistant"), turn, strict=True)]
    return Conversation([*_opening(rng, news, instruction), _message("assistant", answer), *following], effects)


def _opening(rng: random.Random, news: str, instruction: str) -> list[Message]:
    persona = rng.choice(phrases.PERSONAS)
    if rng.random() < 0.5:  # up to the length of the data's own system prompt
        persona = rng.choice(" \n").join([persona, *rng.sample(phrases.RULES, rng.choice([1, 2, 3, 5, 8, 10]))])
    if rng.random() < 0.6:  # the instruction in the system prompt, the bare article as the user's message
        return [
            _message("system", rng.choice([f"{persona} {instruction}", f"{persona}\n{instruction}", instruction])),
            _message("user", news),
        ]
    system = [_message("system", persona)] if rng.random() < 0.6 else []
    parts = [news, instruction] if rng.random() < 0.6 else [instruction, news]
    return [*system, _message("user", rng.choice(["\n", "\n\n"]).join(parts))]


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def draw_drill(rng: random.Random, invent: Callable[[random.Random], str], sentences: list[str]) -> Conversation:
    """Names, words or whole sentences to repeat, as they are or as a list: what long copies of unfamiliar text rest on."""
    form = rng.random()
    once = form < 0.5 and rng.random() < 0.4
    if form < 0.5:  # half of them of any of the 2,350 syllables: each must be learnt to be written, however rare it is
        rare = rng.random() < 0.5
        listed = [
            names.word(rng) if rare else invent(rng) if rng.random() < 0.5 else names.word(rng, coined=0.5)
            for _ in range(rng.randint(2, rng.choice([12, 30, 40])))
        ]
    elif form < 0.8:
        listed = [clean(sentence) for sentence in rng.sample(sentences, rng.randint(1, 4))]
    else:  # a sentence of no language
        listed = [
            " ".join(names.word(rng, coined=0.3) for _ in range(rng.randint(3, 14))) + "."
            for _ in range(rng.randint(1, 3))
        ]
    separator = rng.choice([", ", "\n", " "] if form < 0.5 else ["\n", " "])
    text = separator.join(listed)
    ask, answer = rng.choice(["다음을 파이썬 리스트로 옮겨 주세요.", "차례대로 리스트로 적어 주세요."]), str(listed)
    if once:
        asked, given, listed = ask_once(rng, listed)
        text, ask, answer = rng.choice([", ", "\n"]).join(given), f"{asked} 파이썬 리스트로 답합니다.", str(listed)
    elif rng.random() < 0.5:
        ask, answer = rng.choice(["다음을 그대로 다시 적어 주세요.", "아래 글을 그대로 따라 쓰십시오."]), text
    if rng.random() < 0.5:
        return Conversation([_message("system", ask), _message("user", text), _message("assistant", answer)], {})
    return Conversation([_message("user", f"{ask}\n{text}"), _message("assistant", answer)], {})
