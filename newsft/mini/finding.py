"""Tasks that ask to copy and to find something in an article, without a judgement."""

import json
import random
import re
from collections.abc import Callable

from newsft.mini import names
from newsft.mini.korean import final_consonant, with_particle
from newsft.mini.reading import Reading, because, polite

Turn = tuple[str, str]  # instruction, answer
SUBJECT = re.compile(r"(?<!\S)([가-힣]{2,6})([은는이가]) ")


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
    return (
        f"{words[place]} 번째 문장을 {rng.choice(['그대로 옮겨 주세요', '그대로 쓰십시오', '찾아 적어 주세요'])}.",
        reading.sentences[place],
    )


def _headline(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.headline:
        return None
    return rng.choice(
        ["제목을 그대로 옮겨 주세요.", "기사의 제목을 적으십시오.", "제목이 무엇입니까?"]
    ), reading.headline


def _find_sentence(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.bodied:
        return None
    sentence = rng.choice(reading.bodied)
    words = sentence.split()
    marks = [name for found in reading.named.values() for name in found if name in sentence]
    marks += [figure for figure in reading.figures if figure in sentence]
    start = rng.randrange(len(words))
    mark = (
        rng.choice(marks)
        if marks and rng.random() < 0.6
        else " ".join(words[start : start + rng.choice([1, 2, 2, 3])]).rstrip(".,")
    )
    found = next((one for one in reading.sentences if mark in one), None)
    if found is None or len(mark) < 2:
        return None
    return rng.choice(
        [
            f"'{mark}'이라는 말이 나오는 첫 문장을 그대로 적어 주세요.",
            f"다음 말이 들어 있는 문장을 옮겨 쓰십시오: {mark}",
            f"{mark} - 이 말이 있는 문장을 찾아 주세요.",
        ]
    ), found


def _go_on(rng: random.Random, reading: Reading) -> Turn | None:
    long = [sentence for sentence in reading.bodied if len(sentence.split()) > 5]
    if not long:
        return None
    sentence = rng.choice(long)
    begun = " ".join(sentence.split()[: rng.choice([1, 2, 3])])
    return rng.choice(
        [
            f"'{begun}'로 시작하는 문장을 끝까지 적어 주세요.",
            f"다음처럼 시작하는 문장을 기사에서 찾아 옮기십시오: {begun}",
        ]
    ), sentence


def _ending(rng: random.Random, reading: Reading) -> Turn | None:
    turn, ask = rng.choice(
        [
            (polite, ["존댓말로 바꾸어 주세요", "합니다체로 고쳐 쓰십시오", "끝을 높임말로 바꾸십시오"]),
            (because, ["까닭을 말하는 문장으로 바꾸어 주세요", "때문입니다로 끝나게 고쳐 쓰십시오"]),
        ]
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
        "company": [
            "기사에 나오는 회사를 모두 적어 주세요.",
            "회사 이름을 나오는 차례대로 뽑아 주세요.",
            "어느 회사가 나옵니까?",
        ],
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
    word = (
        rng.choice(words)
        if there
        else names.word(rng)
        if rng.random() < 0.4
        else rng.choice(words)[:1] + names.word(rng, syllables=2)
    )
    there = word in reading.article.news
    return rng.choice(
        [f"기사에 '{word}'라는 말이 있습니까?", f"'{word}'라는 말이 나옵니까?"]
    ), "네, 있습니다." if there else "아니요, 없습니다."


def _blank(rng: random.Random, reading: Reading) -> Turn | None:
    if not reading.bodied:
        return None
    words = rng.choice(reading.bodied).split()
    place = rng.randrange(len(words))
    count = rng.choice([1, 1, 2, 3])
    gap = " ".join(words[place : place + count])
    return (
        f"빈칸에 들어갈 말을 기사에서 찾아 적으십시오.\n{' '.join([*words[:place], '____', *words[place + count :]])}",
        gap,
    )


def _companies_among(rng: random.Random, reading: Reading) -> Turn | None:
    """Which of several names and subjects of sentences are companies: whatever is not one must not be named as one."""
    companies = list(dict.fromkeys(reading.named.get("company", []) + reading.named.get("short", [])))
    others = {name for kind in ("product", "person", "outlet") for name in reading.named.get(kind, [])}
    others |= {
        match[1]
        for match in SUBJECT.finditer(reading.article.news)
        if (match[2] in "은이") == bool(final_consonant(match[1]))
    }
    others = sorted(one for one in others if not any(one in name or name in one for name in companies))
    if not companies or not others:
        return None
    if rng.random() < 0.3:
        name, said = rng.choice(
            [(rng.choice(companies), "네, 회사입니다."), (rng.choice(others), "아니요, 회사가 아닙니다.")]
        )
        return f"{with_particle(name, '은')} 회사입니까?", said
    some = rng.sample(companies, rng.randint(1, min(4, len(companies))))
    given = [*some, *rng.sample(others, rng.randint(1, min(4, len(others))))]
    rng.shuffle(given)
    form, answer = list_values(rng, [name for name in given if name in some])
    return (
        f"{rng.choice(['다음 가운데 회사만 적어 주세요', '이 가운데 회사는 어느 것입니까'])}: {', '.join(given)}. {form}",
        answer,
    )


FINDING: list[tuple[float, Callable[[random.Random, Reading], Turn | None]]] = [
    (2, _nth), (1, _headline), (3, _find_sentence), (2, _go_on), (3, _ending), (3, _names), (2, _companies_among), (1.5, _figures), (1, _quotes), (1, _stands), (1.5, _blank),
]  # fmt: skip
