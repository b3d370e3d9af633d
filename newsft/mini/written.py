"""The written articles: read, and varied so that a few thousand of them become an endless stream in which no name and no figure can be learnt by heart."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from newsft.mini import names
from newsft.mini.gold import NUMBER
from newsft.mini.korean import PARTICLES, final_consonant

FOLDER = Path(__file__).with_name("articles")  # one JSONL file per writer
OUTLET_ENDINGS = (
    "경제신문",
    "경제",
    "신문",
    "일보",
    "뉴스",
    "방송",
    "통신",
    "타임스",
    "투데이",
    "저널",
    "미디어",
    "TV",
    "데일리",
    "헤럴드",
)
# What companies' names end with; the ending stays when a name is varied, as it says what the company makes.
COMPANY_ENDINGS = sorted(
    set(
        "홀딩스 그룹 산업 코리아 인터내셔널 파트너스 시스템 시스템즈 글로벌 상사 지주 네트웍스 랩 랩스 테크 인더스트리 전자 전기 정밀 중공업 조선 해운 항공 제강 철강 제철 특수강 기계 "
        "로보틱스 로봇 모터스 오토 자동차 모빌리티 타이어 배터리 에너지 솔라 전력 가스 정유 화학 케미칼 소재 머티리얼즈 머티리얼 첨단소재 건설 이앤씨 엔지니어링 시멘트 레미콘 제약 바이오 "
        "바이오팜 메디칼 메디컬 메디 헬스케어 테라퓨틱스 생명과학 팜 증권 투자증권 자산운용 운용 은행 저축은행 캐피탈 카드 생명 손해보험 화재 금융지주 소프트 소프트웨어 게임즈 게임 엔터 엔터테인먼트 "
        "스튜디오 미디어 네트워크 텔레콤 통신 반도체 세미콘 디스플레이 머신 푸드 푸즈 식품 유업 제과 음료 주류 에프앤비 리테일 마트 백화점 쇼핑 홈쇼핑 물류 로지스 로지스틱스 택배 관광 투어 여행 호텔 리조트 "
        "화장품 코스메틱 뷰티 패션 어패럴 섬유 제지 페이퍼 광업 농기계 사료 수산 클라우드 데이터 시큐리티 솔루션 디지털 플랫폼 페이 넷 스틸 마린 쉽야드 에어 에어로 디펜스 우주항공".split()
    ),
    key=len,
    reverse=True,
)
CLOSING = "’”'\"」』〉》>"
YEAR = re.compile(r"(?:19|20)\d\d$")
LIMITS = {"일": 28, "월": 12, "시": 12, "분": 59, "초": 59}  # a figure before one of these stays possible


@dataclass(frozen=True)
class Written:
    """An article with its gold answer, the names that were invented for it, by kind, and the part that it belongs to: test, train or base."""

    news: str
    answer: dict
    names: dict[str, list[str]] = field(default_factory=dict)
    part: str = "base"

    @property
    def stocks(self) -> dict[str, str]:
        """Each company that the event moves -> '+' or '-'."""
        sides = {"+": self.answer["positive_impact_stocks"] or [], "-": self.answer["negative_impact_stocks"] or []}
        return {name: sign for sign, listed in sides.items() for name in listed}


def read_written(folder: Path | None = None) -> list[Written]:
    """All written articles, in the order of their files."""
    rows = [
        json.loads(line)
        for path in sorted((folder or FOLDER).glob("**/*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    return [
        Written(row["news"], order_lists(row["answer"], row["news"]), row.get("names", {}), row.get("part", "base"))
        for row in rows
    ]


def order_lists(answer: dict, news: str) -> dict:
    """The answer with its lists in the order in which the article names their items: what comes next is then never a guess, and nothing comes twice."""
    return {key: sorted(value, key=news.find) if isinstance(value, list) else value for key, value in answer.items()}


def join_articles(first: Written, second: Written) -> Written:
    """Two articles as one page, such as a digest has, with what the answers say of both: most articles move one company, so that several and both directions would be read too rarely."""

    def both(key: str) -> object:
        one, other = first.answer[key], second.answer[key]
        if isinstance(one, bool):
            return one or other
        if one and other:
            return [*one, *other] if isinstance(one, list) else f"{one} {other}"
        return one or other or (one if one is not None else other)

    kinds = {**first.names, **second.names}
    return Written(
        f"{first.news}\n\n{second.news}",
        {key: both(key) for key in first.answer},
        {kind: [*first.names.get(kind, []), *second.names.get(kind, [])] for kind in kinds},
    )


def vary(
    rng: random.Random,
    article: Written,
    *,
    invent: Callable[[random.Random], str],
    lend: Callable[[random.Random, str], str] | None = None,
    figures: bool = True,
) -> Written:
    """The same story with other names and, with `figures`, other numbers; the particles follow the names, and news and answer change alike.

    `invent` draws a company's name, `lend` a person's or product's (by its kind), or none: '' where one is to be invented. A full name keeps its ending (제강, 바이오), and its short form goes with it.
    """
    mapping = _rename(rng, article, invent, lend or (lambda *_: ""))
    replace_all = _replacer(rng, mapping, figures=figures)

    def replace_in(value: object) -> object:
        if isinstance(value, list):
            return [replace_all(item) for item in value]
        return replace_all(value) if isinstance(value, str) else value

    news = replace_all(article.news)
    return Written(
        news,
        {key: replace_in(value) for key, value in article.answer.items()},
        {kind: [mapping[name] for name in found] for kind, found in article.names.items()},
    )


def _replacer(rng: random.Random, mapping: dict[str, str], *, figures: bool) -> Callable[[str], str]:
    """Puts new names, with their particles, and with `figures` new numbers into texts; the same number becomes the same each time."""
    listed = sorted(mapping, key=len, reverse=True)
    pattern = re.compile(
        "|".join([*(re.escape(name) for name in listed), NUMBER.pattern] if figures else map(re.escape, listed))
        or r"(?!)"
    )
    numbers: dict[tuple[str, str], str] = {}

    def replace_all(text: str) -> str:
        parts, end = [], 0
        for match in pattern.finditer(text):
            if match.start() < end:
                continue
            old, after = match[0], text[match.end() : match.end() + 1]
            parts.append(text[end : match.start()])
            end = match.end()
            if old in mapping:
                new = mapping[old]
                particle, length = _fit_particle(old, new, text[end : end + 4])
                parts += [new, particle]
                end += length
            else:
                unit = after if after in LIMITS else ""
                if (old, unit) not in numbers:
                    numbers[old, unit] = _renumber(rng, old, unit)
                parts.append(numbers[old, unit])
        return "".join([*parts, text[end:]])

    return replace_all


def _rename(
    rng: random.Random,
    article: Written,
    invent: Callable[[random.Random], str],
    lend: Callable[[random.Random, str], str],
) -> dict[str, str]:
    mapping: dict[str, str] = {}
    shorts = article.names.get("short", [])
    for full in article.names.get("company", []):
        ending = next((one for one in COMPANY_ENDINGS if full.endswith(one) and len(full) > len(one) + 1), "")
        new = invent(rng)
        mapping[full] = _stem(new) + ending if ending else new
        for short in shorts:
            if full.startswith(short):
                rest = full[len(short) :]
                mapping[short] = (
                    mapping[full].removesuffix(rest) if rest and mapping[full].endswith(rest) else _stem(new)
                )
    for short in shorts:
        mapping.setdefault(short, _stem(invent(rng)))
    for outlet in article.names.get("outlet", []):
        ending = next((one for one in OUTLET_ENDINGS if outlet.endswith(one)), "")
        mapping[outlet] = names.word(rng, syllables=2, coined=0.5) + ending
    for person in article.names.get("person", []):
        mapping[person] = lend(rng, "person") or (
            names.person(rng) if re.fullmatch("[가-힣]{2,4}", person) else names.word(rng, coined=1.0)
        )
    for product in article.names.get("product", []):
        mapping[product] = lend(rng, "product") or names.word(rng, coined=0.5) + (
            "" if rng.random() < 0.8 else rng.choice(["", " "]) + rng.choice("ABCDEFGHJKLMNPRSTX")
        )
    return mapping


def _stem(name: str) -> str:
    ending = next((one for one in COMPANY_ENDINGS if name.endswith(one) and len(name) > len(one) + 1), "")
    return name.removesuffix(ending).strip()


def _fit_particle(old: str, new: str, following: str) -> tuple[str, int]:
    """The particle that stood behind `old` in its form behind `new`, and how many characters it had; nothing where there is none."""
    if (
        following[:1] in CLOSING and following[:1]
    ):  # ‘테라인’이: the summary has it without the marks, so both must follow the name
        particle, length = _fit_particle(old, new, following[1:])
        return (following[0] + particle, length + 1) if length else ("", 0)
    closed = final_consonant(old) != 0
    for forms in sorted(PARTICLES.values(), key=lambda forms: -len(forms[0])):
        form = forms[0] if closed else forms[1]
        if forms[0] == "으로" and final_consonant(old) == 8:
            form = "로"
        end = following[len(form) : len(form) + 1]
        if following.startswith(form) and (not "가" <= end <= "힣" or forms[0] in ("이었", "으로", "과", "이라")):
            final = final_consonant(new)
            return (forms[1] if not final or (forms[0] == "으로" and final == 8) else forms[0]), len(form)
    return "", 0


def _renumber(rng: random.Random, number: str, unit: str) -> str:
    if YEAR.match(number):
        return number if rng.random() < 0.5 else str(rng.randint(2015, 2029))
    if len(number) == 1 and rng.random() < 0.7:
        return number
    if unit and number.isdigit() and int(number) <= LIMITS[unit]:
        return str(rng.randint(1, LIMITS[unit]))
    keep_zeros = rng.random() < 0.7
    digits = [
        rng.choice("123456789") if sign != "0" or (not keep_zeros and place) else "0"
        for place, sign in enumerate(number)
        if sign.isdigit()
    ]
    return re.sub(r"\d", lambda _: digits.pop(0), number)
