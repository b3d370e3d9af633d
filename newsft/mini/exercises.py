"""What the base model is asked about written articles: to copy, to find, to say whom the news moves; never the eight-key answer.

Every answer is copied from its article, so that what is learnt is to look and not to remember. Quotation marks are left out of what is
copied, as in the gold answers: inside a string of a dict they would end it.
"""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from newsft.mini import names, phrases
from newsft.mini.gold import KEYS, QUOTES, split_sentences
from newsft.mini.korean import with_particle
from newsft.mini.slips import set_slip
from newsft.mini.written import Written

MOST_KEYS = 5  # of the full answer's eight in one dict
TURNS = (1, 1, 2, 3, 4, 6)  # tasks about one article: its tokens are read once for all of them
INTRODUCED = 4  # keys; a sentence stands before a dict or JSON object of so many or more, as general assistants are used to write one
FIGURE = re.compile(
    r"\d[\d,.]*(?:조|억|만|천|백)?(?:\d[\d,.]*(?:조|억|만|천|백)?)*\s?(?:원|달러|엔|유로|위안|퍼센트|%p|%|포인트|명|대|건|곳|개월|개국|개|t|톤|㎞|km|㎡|배|주|척|년|일|시간|분|세|위|호|회|MW|GWh|배럴)"
)
QUOTED = re.compile(r"[“\"]([^“”\"\n]{4,})[”\"]")
ENDED = re.compile(r"[.!?]$")

Turn = tuple[str, str]  # instruction, answer
Message = dict[str, str]


@dataclass(frozen=True)
class Conversation:
    """One document for the training; `effects` says what its article does to the companies in it ('+' or '-')."""

    messages: list[Message]
    effects: dict[str, str]


def clean(text: str) -> str:
    """A stretch of an article as it stands in an answer: without quotation marks, white space once."""
    return " ".join("".join(sign for sign in text if sign not in QUOTES).split())


def polite(sentence: str) -> str | None:
    """A written sentence (-다.) in 합니다체, None where its ending is not one that a rule can turn."""
    stem = sentence.rstrip(". ")
    if not stem.endswith("다") or stem.endswith("니다") or len(stem) < 4:
        return None
    before, final = stem[-2], (ord(stem[-2]) - 0xAC00) % 28
    if not "가" <= before <= "힣":
        return None
    if final == 20 or stem.endswith(("있다", "없다")):  # ㅆ
        return f"{stem[:-1]}습니다."
    if stem.endswith("는다"):
        return f"{stem[:-2]}습니다."
    if final == 4:  # 한다 -> 합니다
        return f"{stem[:-2]}{chr(ord(before) + 13)}니다."
    if stem.endswith("이다"):
        return f"{stem[:-2]}입니다."
    return None


def because(sentence: str) -> str | None:
    """A written sentence as a reason: its ending put into -기 때문입니다; None where a rule cannot."""
    stem = sentence.rstrip(". ")
    if not stem.endswith("다") or len(stem) < 4:
        return None
    if (ord(stem[-2]) - 0xAC00) % 28 == 20 or stem.endswith(("있다", "없다", "이다")):
        return f"{stem[:-1]}기 때문입니다."
    if stem.endswith("습니다") and (ord(stem[-4]) - 0xAC00) % 28 == 20:
        return f"{stem[:-3]}기 때문입니다."
    for ending, turned in (("한다", "하기"), ("된다", "되기"), ("진다", "지기"), ("는다", "기"), ("합니다", "하기"), ("됩니다", "되기"), ("입니다", "이기")):
        if stem.endswith(ending):
            return f"{stem.removesuffix(ending)}{turned} 때문입니다."
    return None


class Reading:
    """An article as the tasks see it: its sentences, and what can be found in it."""

    def __init__(self, article: Written):
        self.article = article
        self.sentences = [sentence for sentence in map(clean, split_sentences(article.news)) if len(sentence) > 5]
        self.bodied = [sentence for sentence in self.sentences if ENDED.search(sentence) and len(sentence) < 160]
        self.figures = list(dict.fromkeys(match[0] for match in FIGURE.finditer(article.news)))
        self.quotes = [clean(match) for match in QUOTED.findall(article.news)]
        self.named = {kind: [clean(name) for name in found] for kind, found in article.names.items()}
        lines = article.news.split("\n")
        self.headline = clean(lines[0]) if len(lines) > 1 and not ENDED.search(lines[0]) else ""


def list_values(rng: random.Random, values: list[str]) -> tuple[str, str]:
    """How a list is asked for, and the list so."""
    form = rng.random()
    if form < 0.5:
        return "파이썬 리스트로 답합니다.", str(values)
    if form < 0.65:
        return "JSON 배열로 적습니다.", json.dumps(values, ensure_ascii=False)
    if form < 0.85:
        return "쉼표로 나누어 적습니다.", ", ".join(values) if values else "없습니다."
    return "한 줄에 하나씩 적습니다.", "\n".join(values) if values else "없습니다."


def _nth(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.sentences:
        return None
    place = rng.randrange(min(len(reading.sentences), 6))
    words = ["첫", "두", "세", "네", "다섯", "여섯"]
    if rng.random() < 0.2:
        return rng.choice(["마지막 문장을 그대로 옮겨 주세요.", "기사의 끝 문장을 적어 주세요."]), reading.sentences[-1]
    return f"{words[place]} 번째 문장을 {rng.choice(['그대로 옮겨 주세요', '그대로 쓰십시오', '찾아 적어 주세요'])}.", reading.sentences[place]


def _headline(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.headline:
        return None
    return rng.choice(["제목을 그대로 옮겨 주세요.", "기사의 제목을 적으십시오.", "제목이 무엇입니까?"]), reading.headline


def _find_sentence(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.bodied:
        return None
    sentence = rng.choice(reading.bodied)
    words = sentence.split()
    marks = [name for found in reading.named.values() for name in found if name in sentence]
    marks += [figure for figure in reading.figures if figure in sentence]
    start = rng.randrange(len(words))
    mark = rng.choice(marks) if marks and rng.random() < 0.6 else " ".join(words[start : start + rng.choice([1, 2, 2, 3])]).rstrip(".,")
    found = next((one for one in reading.sentences if mark in one), None)
    if found is None or len(mark) < 2:
        return None
    return rng.choice([f"'{mark}'이라는 말이 나오는 첫 문장을 그대로 적어 주세요.", f"다음 말이 들어 있는 문장을 옮겨 쓰십시오: {mark}", f"{mark} - 이 말이 있는 문장을 찾아 주세요."]), found


def _go_on(rng: random.Random, reading: Reading) -> Turn | None:
    long = [sentence for sentence in reading.bodied if len(sentence.split()) > 5]
    if not long:
        return None
    sentence = rng.choice(long)
    begun = " ".join(sentence.split()[: rng.choice([1, 2, 3])])
    return rng.choice([f"'{begun}'로 시작하는 문장을 끝까지 적어 주세요.", f"다음처럼 시작하는 문장을 기사에서 찾아 옮기십시오: {begun}"]), sentence


def _ending(rng: random.Random, reading: Reading) -> Turn | None:
    turn, ask = rng.choice(
        [(polite, ["존댓말로 바꾸어 주세요", "합니다체로 고쳐 쓰십시오", "끝을 높임말로 바꾸십시오"]), (because, ["까닭을 말하는 문장으로 바꾸어 주세요", "때문입니다로 끝나게 고쳐 쓰십시오"])]
    )
    turned = [(sentence, turn(sentence)) for sentence in reading.bodied]
    turned = [(sentence, new) for sentence, new in turned if new]
    if not turned:
        return None
    sentence, new = rng.choice(turned)
    if rng.random() < 0.4:
        begun = " ".join(sentence.split()[:2])
        return f"'{begun}'로 시작하는 문장을 {rng.choice(ask)}.", new
    return f"다음 문장을 {rng.choice(ask)}.\n{sentence}", new


def _names(rng: random.Random, reading: Reading) -> Turn | None:
    kinds = {
        "company": ["기사에 나오는 회사를 모두 적어 주세요.", "회사 이름을 나오는 차례대로 뽑아 주세요.", "어느 회사가 나옵니까?"],
        "person": ["사람 이름을 모두 적어 주세요.", "기사에 나오는 사람은 누구입니까?"],
        "product": ["제품이나 서비스의 이름을 적어 주세요."],
    }
    kind = rng.choices(list(kinds), [6, 2, 1])[0]
    found = sorted(dict.fromkeys(reading.named.get(kind, [])), key=reading.article.news.find)
    if not found and rng.random() < 0.7:
        return None
    form, answer = list_values(rng, found)
    return f"{rng.choice(kinds[kind])} {form}", answer


def _figures(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.figures:
        return None
    form, answer = list_values(rng, reading.figures[:12])
    return f"{rng.choice(['기사에 나오는 숫자를 단위와 함께 적어 주세요.', '수치를 모두 뽑아 주세요.'])} {form}", answer


def _quotes(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.quotes:
        return None
    form, answer = list_values(rng, reading.quotes[:4])
    return f"{rng.choice(['따옴표 안의 말을 모두 옮겨 주세요.', '누가 한 말을 그대로 적어 주세요.'])} {form}", answer


def _stands(rng: random.Random, reading: Reading) -> Turn | None:
    words = [word.strip(".,") for sentence in reading.sentences for word in sentence.split() if len(word) > 2]
    if not words:
        return None
    there = rng.random() < 0.5
    word = rng.choice(words) if there else names.word(rng) if rng.random() < 0.4 else rng.choice(words)[:1] + names.word(rng, syllables=2)
    there = word in reading.article.news
    return rng.choice([f"기사에 '{word}'라는 말이 있습니까?", f"'{word}'라는 말이 나옵니까?"]), "네, 있습니다." if there else "아니요, 없습니다."


def _blank(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.bodied:
        return None
    words = rng.choice(reading.bodied).split()
    place = rng.randrange(len(words))
    count = rng.choice([1, 1, 2, 3])
    gap = " ".join(words[place : place + count])
    return f"빈칸에 들어갈 말을 기사에서 찾아 적으십시오.\n{' '.join([*words[:place], '____', *words[place + count :]])}", gap


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


def _direction(rng: random.Random, reading: Reading) -> Turn | None:
    stocks = reading.article.stocks
    others = [name for name in reading.named.get("company", []) if name not in stocks]
    if not stocks and not others:
        return None
    company = rng.choice(others) if others and (not stocks or rng.random() < 0.25) else rng.choice(list(stocks))
    said = {"+": "긍정적입니다.", "-": "부정적입니다.", None: "영향이 없습니다."}[stocks.get(company)]
    return rng.choice([f"{company}에 긍정적입니까, 부정적입니까?", f"이 뉴스가 {company}에 주는 영향은 무엇입니까?", f"{with_particle(company, '은')} 어떤 영향을 받습니까?"]), said


def _analysis(rng: random.Random, reading: Reading) -> Turn:
    answer = reading.article.answer
    if not answer["is_stock_related"]:
        return rng.choice(phrases.ANALYSE), f"특정 종목과 관련이 없는 뉴스입니다. {answer['summary']}"
    parts = [answer["summary"]] if rng.random() < 0.5 else []
    for side, word in (("positive", "긍정적"), ("negative", "부정적")):
        if answer[f"{side}_impact_stocks"]:
            parts += [f"{', '.join(answer[f'{side}_impact_stocks'])}에는 {word}인 소식입니다.", answer[f"reason_for_{side}_impact"]]
    return rng.choice(phrases.ANALYSE), " ".join(parts)


def _object(rng: random.Random, reading: Reading, *, slips: float) -> Turn:
    """A dict or JSON object of some of the answer's keys, often with others that any assistant is asked for."""
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
    count = rng.choice([1, 2, 2, 3, 3, 4, MOST_KEYS])
    if rng.random() < 0.6:
        keys = rng.sample(KEYS, count)
        keys = sorted(keys, key=KEYS.index) if rng.random() < 0.7 else keys
    else:
        keys = rng.sample([*others, "summary", "negative_impact_stocks", "positive_impact_stocks"], count)
    values = {key: answer[key] if key in answer else others[key] for key in keys}
    if slips and rng.random() < slips:
        values = set_slip(rng, values, reading.article.news.replace("\n", " "))
    as_json = rng.random() < 0.3
    form = rng.choice(["JSON으로", "JSON 형식으로"]) if as_json else rng.choice(["파이썬 dictionary로", "파이썬의 dictionary 형식으로", "dictionary 하나로만"])
    if rng.random() < 0.5:
        meaning = "\n".join(f"{key}: {rng.choice(phrases.KEY_MEANINGS[key])}" if key in phrases.KEY_MEANINGS else key for key in keys)
        instruction = rng.choice([f"답은 {form} 씁니다.\n{meaning}", f"아래 값을 채워 {form} 답하십시오.\n{meaning}"])
    else:
        listed = ", ".join(keys)
        instruction = rng.choice([f"{with_particle(listed, '을')} {form} 적어 주세요.", f"{form} 답하십시오. 키는 {listed}입니다."])
    text = json.dumps(values, ensure_ascii=False) if as_json else str(values)
    return instruction, f"{rng.choice(phrases.INTRODUCTIONS)}\n{text}" if len(keys) >= INTRODUCED else text


FINDING: list[tuple[float, Callable[[random.Random, Reading], Turn | None]]] = [
    (2, _nth), (1, _headline), (3, _find_sentence), (2, _go_on), (3, _ending), (3, _names), (1.5, _figures), (1, _quotes), (1, _stands), (1.5, _blank),
]  # fmt: skip


def draw_conversation(rng: random.Random, article: Written, *, judged: float, objects: float, slips: float, turns: tuple[int, ...] = TURNS) -> Conversation:
    """One article and one to six tasks about it, as messages.

    A share of `judged` of the tasks asks for what the gold answer says (not where the article was varied beyond its meaning: give 0), of these
    a share of `objects` as a dict or JSON object, a share of `slips` of which has a marked mistake (`newsft.mini.slips`).
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
                _object(rng, reading, slips=slips)
                if form < objects
                else _value(rng, reading)
                if form < objects + (1 - objects) * 0.5
                else _direction(rng, reading)
                if form < objects + (1 - objects) * 0.85
                else _analysis(rng, reading)
            )
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
    if rng.random() < 0.4:
        persona = " ".join([persona, *rng.sample(phrases.RULES, rng.choice([1, 2, 3, 4, 6]))])
    if rng.random() < 0.6:  # the instruction in the system prompt, the bare article as the user's message
        return [_message("system", rng.choice([f"{persona} {instruction}", f"{persona}\n{instruction}", instruction])), _message("user", news)]
    system = [_message("system", persona)] if rng.random() < 0.6 else []
    parts = [news, instruction] if rng.random() < 0.6 else [instruction, news]
    return [*system, _message("user", rng.choice(["\n", "\n\n"]).join(parts))]


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def draw_drill(rng: random.Random, invent: Callable[[random.Random], str], sentences: list[str]) -> Conversation:
    """Names, words or whole sentences to repeat, as they are or as a list: what long copies of unfamiliar text rest on."""
    form = rng.random()
    if form < 0.5:  # half of them of any of the 2,350 syllables: each must be learnt to be written, however rare it is
        rare = rng.random() < 0.5
        listed = [names.word(rng) if rare else invent(rng) if rng.random() < 0.5 else names.word(rng, coined=0.5) for _ in range(rng.randint(2, rng.choice([12, 30, 40])))]
    elif form < 0.8:
        listed = [clean(sentence) for sentence in rng.sample(sentences, rng.randint(1, 4))]
    else:  # a sentence of no language
        listed = [" ".join(names.word(rng, coined=0.3) for _ in range(rng.randint(3, 14))) + "." for _ in range(rng.randint(1, 3))]
    text = rng.choice([", ", "\n", " "] if form < 0.5 else ["\n", " "]).join(listed)
    ask, answer = rng.choice(["다음을 파이썬 리스트로 옮겨 주세요.", "차례대로 리스트로 적어 주세요."]), str(listed)
    if rng.random() < 0.5:
        ask, answer = rng.choice(["다음을 그대로 다시 적어 주세요.", "아래 글을 그대로 따라 쓰십시오."]), text
    if rng.random() < 0.5:
        return Conversation([_message("system", ask), _message("user", text), _message("assistant", answer)], {})
    return Conversation([_message("user", f"{ask}\n{text}"), _message("assistant", answer)], {})
