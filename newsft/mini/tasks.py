"""What the base model is trained on: conversations of a general news assistant about the generator's articles.

It learns the parts of the task (relevance, companies, direction, keywords, reasons, summaries; prose, lists, dicts and
JSON of some of the keys) and never the eight-key answer, which is left to the adapter.
"""

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from newsft.mini import articles, names, phrases, wordings
from newsft.mini.articles import Article
from newsft.mini.corpus import KEYS, answer_of, draw_length
from newsft.mini.korean import with_particle
from newsft.mini.slips import set_slip
from newsft.mini.unfamiliar import make_unfamiliar

QUESTIONS_PER_ARTICLE = 4
WILD = 0.6  # of the companies have a stem of syllables that the rows' names lack, or of two parts
INTRODUCED = 5  # keys; a sentence stands before a dict or JSON object of so many or more, as general assistants are used to write one

Turn = tuple[str, str]  # instruction, answer
Message = dict[str, str]


@dataclass
class Conversation:
    """One document for the training: its messages, and what its article does to the companies in it ('+', '-' or '0')."""

    messages: list[Message]
    effects: dict[str, str] = field(default_factory=dict)


def draw_conversation(
    rng: random.Random,
    *,
    part: str = "pretrain",
    drills: float = 0.12,
    objects: float = 0.36,
    short: bool = False,
    any_length: bool = False,
    most_keys: int = 3,
    large: float = 0.0,
    slips: float = 0.0,
    unfamiliar: float = 0.0,
) -> Conversation:
    """One training document as messages: a (`short`) article and one to five tasks, or, for a share of `drills`, names to repeat.

    A share of `objects` of a long article's tasks asks for a dict or JSON object of at most `most_keys` of the full answer's eight
    keys, a share of `large` of these for one of the three largest sizes; before those of `INTRODUCED` keys or more stands a sentence.
    With `any_length` the articles that are not short are of all lengths from 120 to 1,400 characters, as many of each size on a logarithmic scale, instead of mostly below 400.
    A share of `slips` of the objects has a marked mistake (`newsft.mini.slips`), one of `unfamiliar` of the articles words of no language (`newsft.mini.unfamiliar`).
    """
    if rng.random() < drills:
        return Conversation(_name_drill(rng, part=part))
    article = articles.draw(rng, part=part, length=_draw_length(rng, short=short, any_length=any_length), wild=WILD)
    if unfamiliar and rng.random() < unfamiliar:
        article = make_unfamiliar(rng, article)
    count = rng.choice([1, 1, 2, 3] if short else [1, 2, 3, 4, 5])
    turns = list(
        dict(_draw_turn(rng, article, short=short, objects=objects, most_keys=most_keys, large=large, slips=slips) for _ in range(count)).items()
    )  # no instruction twice; later answers can be told from earlier ones
    (instruction, answer), *more = turns
    persona = rng.choice(phrases.PERSONAS)
    if rng.random() < 0.4:
        persona = " ".join([persona, *rng.sample(phrases.RULES, rng.choice([1, 2, 3, 4, 6]))])
    messages = []
    layout = rng.random()
    if layout < 0.55:  # the instruction in the system prompt, the bare article as the user's message
        messages = [{"role": "system", "content": rng.choice([f"{persona} {instruction}", f"{persona}\n{instruction}", instruction])}, {"role": "user", "content": article.text}]
    else:
        if rng.random() < 0.6:
            messages = [{"role": "system", "content": persona}]
        gap = rng.choice(["\n", "\n\n"])
        parts = [article.text, instruction] if rng.random() < 0.6 else [instruction, article.text]
        messages.append({"role": "user", "content": gap.join(parts)})
    messages.append({"role": "assistant", "content": answer})
    for instruction, answer in more:
        messages += [{"role": "user", "content": instruction}, {"role": "assistant", "content": answer}]
    return Conversation(messages, article.effects)


def _draw_length(rng: random.Random, *, short: bool, any_length: bool) -> int:
    if short:
        return rng.randint(60, 200)
    return round(math.exp(rng.uniform(math.log(120), math.log(1400)))) if any_length else draw_length(rng, long=0.15)


def draw_decisions(
    rng: random.Random, *, lists: float, positive: float = 0.5, pairs: float = 0.0, several: float = 0.0, opposed: float = 0.0, keywords: float = 0.0, longest: int = 200, part: str = "pretrain"
) -> list[Conversation]:
    """An article of 60 to `longest` characters and questions, each a conversation of its own; for a share of `opposed` it is good
    for one company and bad for another, for a share of `several` of the others it is about more than one.

    An answer begins with a direction or, for a share of `lists`, holds companies: the positive for a share of `positive`,
    both sides for one of `pairs`, and the keywords with them for one of `keywords`. Where the question stands behind the article
    there are up to `QUESTIONS_PER_ARTICLE`, and the conversations begin alike; before it, in the system prompt, there is one.
    """
    article = _draw_article(rng, longest=longest, part=part)
    if opposed and rng.random() < opposed:
        while not (article.positive and article.negative):
            article = _draw_article(rng, longest=longest, part=part)
    elif several and rng.random() < several:
        while len(article.positive + article.negative) < 2:
            article = _draw_article(rng, longest=longest, part=part)

    def draw_turn() -> Turn:
        if rng.random() < lists:
            return _ask_lists(rng, article, positive=positive, pairs=pairs, keywords=keywords)
        company = rng.choice(article.positive + article.negative)
        return rng.choice(_asked_direction(company)), "긍정적입니다." if company in article.positive else "부정적입니다."

    if rng.random() < 0.4:
        question, answer = draw_turn()
        return [Conversation([_message("system", question), _message("user", article.text), _message("assistant", answer)], article.effects)]
    persona = [_message("system", rng.choice(phrases.PERSONAS))] if rng.random() < 0.2 else []
    turns = dict(draw_turn() for _ in range(QUESTIONS_PER_ARTICLE))  # no question twice
    return [Conversation([*persona, _message("user", f"{article.text}\n{question}"), _message("assistant", answer)], article.effects) for question, answer in turns.items()]


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _draw_article(rng: random.Random, *, longest: int, part: str) -> Article:
    return articles.draw(rng, part=part, length=rng.randint(60, longest), wild=WILD, stock=True)


def _ask_lists(rng: random.Random, article: Article, *, positive: float, pairs: float, keywords: float) -> Turn:
    sides = ["positive" if rng.random() < positive else "negative"]
    if pairs and rng.random() < pairs:
        sides = ["negative", "positive"]
    kinds = ["impact_stocks", "keywords"] if keywords and rng.random() < keywords else ["impact_stocks"]
    values = answer_of(article)
    asked = {key: values[key] for key in (f"{side}_{kind}" for side in sides for kind in kinds)}
    meanings = "\n".join(f"{key}: {rng.choice(phrases.KEY_MEANINGS[key])}" for key in asked)
    question = rng.choice([f"답은 파이썬 dictionary로 씁니다.\n{meanings}", f"{with_particle(', '.join(asked), '을')} dictionary로 적어 주세요."])
    return question, str(asked)


def draw_text(rng: random.Random, *, part: str = "pretrain") -> str:
    """An article alone, to be continued."""
    return articles.draw(rng, part=part, length=draw_length(rng, long=0.3), wild=WILD).text


def _draw_turn(rng: random.Random, article: Article, *, short: bool, objects: float, **asked: float) -> Turn:
    # Whether "positive_impact_stocks" is empty depends on the article's direction and on the key that is asked: neither alone
    # says anything. Where the answer is the direction itself, it does; the short articles ask that half of the time.
    weights = [0.14, 0.24, 0.08, 0.5, 0.04] if short else [0.34, 0.64 * objects / (1 - objects), 0.12, 0.1, 0.08]
    kinds: list[Callable[[random.Random, Article], Turn]] = [_question, partial(_object, **asked), _analysis, _direction, _headline]
    return rng.choices(kinds, weights)[0](rng, article)


def _draw_keys(rng: random.Random, article: Article, count: int) -> list[str]:
    # Companies weigh most: naming them is what a small model learns last.
    weights = {key: 3.0 if key.endswith("stocks") else 1.0 for key in KEYS}
    if not article.is_stock_related:
        weights |= {"is_stock_related": 4.0, "summary": 4.0}
    for key, value in answer_of(article).items():
        weights[key] *= 1.0 if value else 0.5
    chosen: list[str] = []
    while len(chosen) < count:
        key = rng.choices(KEYS, [weights[key] for key in KEYS])[0]
        if key not in chosen:
            chosen.append(key)
    return sorted(chosen, key=KEYS.index) if rng.random() < 0.7 else chosen


def _question(rng: random.Random, article: Article) -> Turn:
    key = _draw_keys(rng, article, 1)[0]
    question, value = rng.choice(phrases.QUESTIONS[key]), answer_of(article)[key]
    form = rng.random()
    if isinstance(value, list) and form < 0.35:
        return f"{question} 파이썬 리스트로만 답합니다.", str(value)
    if isinstance(value, list) and value and form < 0.5:
        return f"{question} 쉼표로 나누어 적습니다.", ", ".join(value)
    return question, _say(rng, article, key)


def _say(rng: random.Random, article: Article, key: str) -> str:
    value = answer_of(article)[key]
    if key == "is_stock_related":
        if value:
            subject = ", ".join(article.positive + article.negative)
            return rng.choice(["네, 특정 종목과 관련된 뉴스입니다.", f"네, {subject} 관련 뉴스입니다.", f"종목과 관련이 있습니다. 영향을 받는 회사는 {subject}입니다."])
        return rng.choice(["아니요, 특정 종목과 관련이 없는 뉴스입니다.", "어느 회사의 주가와도 관련이 없는 기사입니다.", "종목과 관련이 없습니다."])
    if not value:
        return rng.choice(phrases.NOTHING[key])
    if isinstance(value, str):
        return value
    listed = ", ".join(value)
    good = "긍정적인" if key.startswith("positive") else "부정적인"
    if key.endswith("keywords"):
        return rng.choice([listed, f"핵심어는 {listed}입니다.", f"{listed} 등입니다."])
    return rng.choice([f"{listed}입니다.", f"{with_particle(listed, '이')} {good} 영향을 받을 것으로 보입니다.", f"{good} 영향을 받을 종목은 {listed}입니다.", listed])


def _object(rng: random.Random, article: Article, *, most_keys: int, large: float, slips: float) -> Turn:
    sizes = range(most_keys - 2, most_keys + 1) if large and rng.random() < large else [1, 2, *range(2, most_keys + 1)]
    keys = _draw_keys(rng, article, rng.choice(sizes))
    answer = {key: answer_of(article)[key] for key in keys}
    if slips and rng.random() < slips:
        answer = set_slip(rng, answer, article.text, _analysis(rng, article)[1])
    as_json = rng.random() < 0.3
    form = rng.choice(["JSON으로", "JSON 형식으로"]) if as_json else rng.choice(["파이썬 dictionary로", "파이썬의 dictionary 형식으로", "dictionary 하나로만"])
    if rng.random() < 0.5:
        meaning = "\n".join(f"{key}: {rng.choice(phrases.KEY_MEANINGS[key])}" for key in keys)
        instruction = rng.choice([f"답은 {form} 씁니다.\n{meaning}", f"아래 값을 채워 {form} 답하십시오.\n{meaning}"])
    else:
        listed = ", ".join(keys)
        instruction = rng.choice([f"{with_particle(listed, '을')} {form} 적어 주세요.", f"{form} 답하십시오. 키는 {listed}입니다.", f"키가 {listed}인 답을 {form} 써 주세요."])
    if rng.random() < 0.3:
        instruction += " 해당하는 것이 없으면 " + ("빈 배열이나 null을" if as_json else "빈 리스트나 None을") + " 씁니다."
    text = json.dumps(answer, ensure_ascii=False) if as_json else str(answer)
    return instruction, f"{rng.choice(phrases.INTRODUCTIONS)}\n{text}" if len(keys) >= INTRODUCED else text


def _analysis(rng: random.Random, article: Article) -> Turn:
    if not article.is_stock_related:
        parts = [rng.choice(["특정 종목과 관련이 없는 뉴스입니다.", "이 뉴스는 어느 회사의 주가와도 관련이 없습니다."]), article.summary]
    else:
        parts = [article.summary]
        for companies, sign, word in ((article.positive, "+", "긍정적"), (article.negative, "-", "부정적")):
            if companies:
                listed = ", ".join(companies)
                said = rng.choice([f"이 뉴스는 {listed}에 {word}입니다.", f"{listed}에는 {word}인 소식입니다.", f"{with_particle(listed, '은')} {word}인 영향을 받을 것으로 보입니다."])
                parts += [said, article.reasons[sign]]
                if article.keywords[sign] and rng.random() < 0.4:
                    parts.append(f"핵심어는 {', '.join(article.keywords[sign])}입니다.")
        if rng.random() < 0.5:
            parts = parts[1:] + parts[:1]
    return rng.choice(phrases.ANALYSE), rng.choice([" ", " ", "\n"]).join(parts)


def _direction(rng: random.Random, article: Article) -> Turn:
    if not article.companies:
        return _analysis(rng, article)
    company = rng.choice(article.companies)
    if company in article.positive:
        effect, reason = "긍정적", article.reasons["+"]
    elif company in article.negative:
        effect, reason = "부정적", article.reasons["-"]
    else:
        effect, reason = "중립적", ""
    question = rng.choice(_asked_direction(company))
    answer = rng.choice([f"{effect}입니다. {reason}", f"{company}에 {effect}입니다.", f"{with_particle(company, '은')} {effect}인 영향을 받습니다. {reason}"])
    return question, answer.strip()


def _asked_direction(company: str) -> list[str]:
    return [f"{company}에 긍정적입니까, 부정적입니까?", f"이 뉴스가 {company}에 주는 영향은 무엇입니까?", f"{with_particle(company, '은')} 어떤 영향을 받습니까?"]


def _headline(rng: random.Random, article: Article) -> Turn:
    return rng.choice(["기사에 제목을 붙여 주세요.", "이 뉴스의 제목을 지어 주세요.", "제목을 한 줄로 써 주세요."]), article.headline


def _name_drill(rng: random.Random, *, part: str) -> list[Message]:
    trades = wordings.sectors()
    listed = [
        names.company(rng, trades[rng.choice(list(trades))]["suffixes"], part=part, wild=1.0) if rng.random() < 0.4 else names.word(rng, coined=0.5)
        for _ in range(rng.randint(2, rng.choice([12, 12, 60])))
    ]
    text = rng.choice([", ", "\n", " "]).join(listed)
    ask = rng.choice(["다음 이름을 파이썬 리스트로 옮겨 주세요.", "이름을 차례대로 리스트로 적어 주세요."])
    answer = str(listed)
    if rng.random() < 0.5:
        ask, answer = rng.choice(["다음을 그대로 다시 적어 주세요.", "아래 이름을 그대로 따라 쓰십시오."]), text
    if rng.random() < 0.5:
        return [{"role": "system", "content": ask}, {"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return [{"role": "user", "content": f"{ask}\n{text}"}, {"role": "assistant", "content": answer}]
