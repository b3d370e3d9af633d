"""The generator's wordings (TOML files beside this module) and the values that fill their slots.

Those in the folder `wide` are for the base model's pre-training alone, which has to learn to read what people write; the embedded rows do without them.
"""

import random
import re
import tomllib
from functools import cache
from pathlib import Path

from newsft.mini import names
from newsft.mini.korean import with_particle

FOLDER = Path(__file__).parent / "wordings"
WIDE = FOLDER / "wide"
SLOT = re.compile(r"\{(\w+)(?::([^}]*))?\}")
PLACES = "평택 울산 창원 구미 청주 천안 아산 이천 군산 여수 포항 광양 원주 춘천 김해 거제 파주 화성 용인 안산 오창 익산 진천 당진 서산 세종 인천 대전 부산 광주".split()
COUNTRIES = "미국 중국 일본 독일 프랑스 영국 베트남 인도 인도네시아 태국 폴란드 헝가리 멕시코 브라질 캐나다 호주 사우디아라비아 튀르키예 카타르 말레이시아 싱가포르 필리핀 스페인 체코".split()


@cache
def events(part: str) -> list[dict]:
    """Every kind of event, from all event files, in a fixed order; for the part "pretrain" with its wide wordings."""
    files = sorted(path for path in FOLDER.glob("*.toml") if path.stem not in ("sectors", "pools"))
    narrow = [event for path in files for event in _read(path)["event"]]
    wide = {event["kind"]: event for path in files for event in _read(WIDE / path.name).get("event", [])} if part == "pretrain" else {}
    return [_join(event, wide.get(event["kind"], {})) for event in narrow]


def _read(path: Path) -> dict:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _join(narrow: dict, wide: dict) -> dict:
    """Both's lists one behind the other; what is no list of sentences stays as it is."""
    return {key: [*value, *wide.get(key, [])] if isinstance(value, list) else value for key, value in narrow.items()}


@cache
def sectors() -> dict[str, dict]:
    """Sector id -> label, name suffixes, products, techs, background sentences."""
    return _read(FOLDER / "sectors.toml")


@cache
def pools(part: str) -> dict[str, list[str]]:
    """Sentences that fit into any article: market asides, competitors, analysts, background, closing, filler; for the part "pretrain" with the wide ones."""
    return _join(_read(FOLDER / "pools.toml"), _read(WIDE / "pools.toml") if part == "pretrain" else {})


def fill(template: str, values: dict[str, str]) -> str:
    """`template` with its slots filled and the particles fitted; KeyError names a slot without a value."""

    def replace(match: re.Match) -> str:
        word, particle = values[match[1]], match[2]
        return with_particle(word, particle) if particle else word

    return SLOT.sub(replace, template)


def _money(rng: random.Random) -> str:
    gap = rng.choice([" ", " ", ""])
    size = rng.random()
    if size < 0.08:
        return f"{rng.randint(1, 9)}조 {rng.randrange(1000, 9900, 100):,}억{gap}원"
    if size < 0.13:
        return f"{rng.randint(1, 12)}조{gap}원"
    if size < 0.6:
        return f"{rng.randint(12, 990)}억{gap}원"
    return f"{rng.randrange(1000, 9900, rng.choice([10, 50, 100])):,}억{gap}원"


def slot_values(rng: random.Random, *, sector: str, part: str) -> dict[str, str]:
    """One article's values for the slots that every wording may use (names of roles are added by the caller)."""
    trade = sectors()[sector]
    product, product2 = rng.sample(trade["products"], 2)
    values = {key: _money(rng) for key in ("money", "money2", "money3")}
    values |= {key: f"{rng.randint(1, 60)}.{rng.randint(0, 9)}%" if rng.random() < 0.7 else f"{rng.randint(2, 80)}%" for key in ("pct", "pct2", "pct3")}
    values |= {key: f"{rng.choice([rng.randint(11, 999), rng.randrange(1000, 90000, 10)]):,}" for key in ("count", "count2")}
    day, day2 = rng.sample(range(1, 31), 2)
    return values | {
        "usd": f"{rng.randint(1, 30)}억 {rng.randrange(1000, 9900, 100):,}만 달러" if rng.random() < 0.5 else f"{rng.randrange(1000, 9900, 100):,}만 달러",
        "date": f"{day}일",
        "date2": f"지난 {day2}일",
        "month": f"{rng.randint(1, 12)}월",
        "year": f"{rng.randint(2027, 2033)}년",
        "year_past": f"{rng.randint(1968, 2019)}년",
        "quarter": f"{rng.randint(1, 4)}분기",
        "small": str(rng.randint(2, 9)),
        "place": rng.choice(PLACES),
        "city": rng.choice(["서울", "서울", "서울", "세종", *PLACES]),
        "country": rng.choice(COUNTRIES),
        "person": names.person(rng),
        "analyst": names.person(rng),
        "official": names.person(rng),
        "reporter": names.person(rng),
        "agency": rng.choice(pools(part)["agencies"]),
        "broker": names.company(rng, ["증권", "투자증권"], part=part),
        "product": product,
        "product2": product2,
        "tech": rng.choice(trade["techs"]),
        "price": f"{rng.randrange(1000, 200000, 50):,}원",
    }
