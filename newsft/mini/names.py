"""Invented companies, persons and words that the written articles are varied with."""

import random
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from newsft.mini.korean import final_consonant

# The 2,350 syllables of KS X 1001: what Korean text is written with in practice. Rarer ones fall back to bytes.
SYLLABLES = [bytes([row, cell]).decode("euc-kr") for row in range(0xB0, 0xC9) for cell in range(0xA1, 0xFF)]
NAME_SYLLABLES = list(
    "가강건경고광교구국권규근금기길나남노누다단담대덕도동두라람래려련로루류름리린마만명모목무문미민바반배백범별보봉부빈사산상서선설성세소손솔송수순슬승신"
    "아안애양어여연영예오온완용우운원월위유윤율은을의이인일자장재전정제조종주준지진찬창채천철청초추춘충치태택토파편평표풍피하한해현형혜호홍화환황효훈휘희힘"
)
BORROWED = list(
    "그넥노니델디라레로루리마메모미바베벨보브비사세솔스시아알에엔엘오온올유이인자제지카컨코콘크키타테토트티파페포폴프플피하헤호휴"
)
# What coined and borrowed names are made of beyond these: a plain consonant, a simple vowel, a common final consonant or none, by their places
# in the Unicode block of syllables. Drawn among all 2,350, each of them came up too rarely for the base model to learn to write it.
COINED = [
    s
    for s in SYLLABLES
    if s not in NAME_SYLLABLES
    and (ord(s) - 0xAC00) // 588 not in {1, 4, 8, 10, 13}
    and (ord(s) - 0xAC00) // 28 % 21 in {0, 1, 2, 4, 5, 6, 8, 12, 13, 17, 18, 20}
    and final_consonant(s) in {0, 1, 4, 8, 16, 17, 19, 21}
]
ENDINGS = "전자 바이오 제약 건설 화학 소재 에너지 모터스 항공 해운 조선 제강 식품 푸드 엔터 게임즈 소프트 반도체 디스플레이 증권 은행 카드 생명 로보틱스 텔레콤 리테일 로지스 메디칼".split()
GENERAL_SUFFIXES = [
    "홀딩스",
    "그룹",
    "산업",
    "코리아",
    "인터내셔널",
    "파트너스",
    "시스템",
    "글로벌",
    "상사",
    "지주",
    "네트웍스",
    "랩",
    "테크",
    "인더스트리",
]
SURNAMES = list(
    "김이박최정강조윤장임한오서신권황안송류홍전고문양손배백허남심노하곽성차주우구민나지엄채원천방공현함변염여추도소석선설마길연위표명기반왕금옥육인맹제모"
)
GIVEN = list(
    "가강건경광규근기나남다도동라래려련린명모미민범별보빈상서석선설성세소솔수순슬승시신아안애양연영예오온용우욱운원유윤율은의이인일자재정제조종주준지진찬창채철초치태하한해현형혜호홍화환효훈휘희"
)

# Stems of real Korean companies, groups, banks and media; no invented name may begin with one of them.
REAL_STEMS = set(
    "삼성 현대 기아 한화 롯데 포스코 신세계 두산 한진 대한 대우 금호 효성 코오롱 동부 동국 대림 쌍용 한국 농심 오뚜기 아모레 셀트리온 카카오 네이버 넥슨 넷마블 크래프톤 엔씨 쿠팡 우리 신한 하나 국민 기업 "
    "농협 수협 미래에셋 키움 메리츠 대신 유안타 교보 한미 유한 종근당 녹십자 대웅 동아 일동 보령 광동 제일 영풍 고려 세아 동원 대상 사조 오리온 해태 크라운 빙그레 매일 남양 서울 풍산 태광 애경 무림 한솔 깨끗한 "
    "휴젤 메디톡스 알테오젠 에코프로 엘앤에프 포스 천보 솔브레인 원익 주성 한미반도체 리노 동진 이오 하이브 에스엠 와이지 제이와이피 스튜디오 펄어비스 위메이드 컴투스 더블유 한온 만도 성우 화신 서연 에스엘 대원 "
    "한샘 현대건설 호반 중흥 부영 태영 계룡 코리아 아시아나 제주 진에어 티웨이 에어 팬오션 흥아 세방 이마트 홈플러스 쏘카 토스 배달 야놀자 무신사 컬리 당근 직방 리디 왓챠 티빙 씨젠 바이오니아 메디포스트 차바이오 "
    "일진 이수 송원 휴켐스 남해 조비 경농 후성 켐트로스 나노 덕산 심텍 대덕 인탑스 파트론 자화 삼화 삼영 삼천리 삼양 삼진 삼부 삼일 성신 아세아 한일 유진 동양 벽산 노루 조광 강남 건설 국제 경남 경동 광주 부산 "
    "대구 전북 대성 세종 한라 한신 한양 한창 화승 화천 환인 부광 신풍 신일 신성 신원 신영 신도 동성 동화 동서 동방 동일 동신 태평양 태양 태경 조선 중앙 연합 문화 매경 한겨레 경향 국민일보 세계 아이 이데 머니 뉴스 "
    "뉴시스 조아 국보 까스 명문 안국 안랩 한글 더존 가비아 다날 다우 다음 다나와 인터파크 예스 알라딘 교원 웅진 대교 메가 비상 정상 청담 파라다이스 강원 하이트 진로 무학 보해 국순당 풀무원 샘표 청정원 마니커 하림 체리 "
    "선진 팜스 이지 우성 대주 미원 서흥 콜마 코스맥스 클리오 토니 에이블 잇츠 네오팜 휴온스 제넥신 헬릭스 신라 바디 쎌 루닛 뷰노 딥노이드 레인보우 로보 유일 뉴로 두나무 빗썸 코인 갤럭시 이노션 나스 위니아 쿠쿠 쿠첸 "
    "누리 나래 나라 가온 가람 다산 마루 보람 아람 한빛 새한 미래 대동 성원 우진 세진 진성 동해 서해 남해 태산 금강 백두 한강 정우 정원 유니 인성 세원 현진 신화 이화 대양 대창 광진 명신 삼성전자 지에스 엘지 에스케이 씨제이 케이티 에이치 디엘".split()
)
REAL_LATIN = set(
    "LG SK CJ GS KT HD LS DL DB KB NH HMM SM YG JYP KCC OCI SPC BGF NC NHN HLB IBK BNK DGB JB KG AK ISC HPSP SNT TCC KSS STX".split()
)

COMPOUND_SHARE = 0.4  # of the wild stems


# Syllables that next to each other say something that no class should see projected.
OFFENSIVE = (
    "에로",
    "보지",
    "자지",
    "섹스",
    "섹시",
    "창녀",
    "변태",
    "강간",
    "마약",
    "시체",
    "자살",
    "살인",
    "병신",
    "지랄",
    "새끼",
    "걸레",
    "매춘",
    "나치",
    "노예",
    "음란",
    "성기",
    "고자",
    "야동",
    "똥",
    "좆",
    "씹",
    "썅",
)


def is_real(stem: str) -> bool:
    """Whether a stem begins like a known real company or, in Latin letters, is one."""
    letters = "".join(c for c in stem if c.isascii() and c.isalpha())
    hangul = stem.replace(" ", "")
    return letters in REAL_LATIN or any(hangul.startswith(real) for real in REAL_STEMS)


def _stem(rng: random.Random, *, wild: bool) -> str:
    if wild and rng.random() < COMPOUND_SHARE:
        return _compound_stem(rng)
    shape = rng.random()
    pool = NAME_SYLLABLES
    if wild:
        pool = COINED if rng.random() < 0.5 else SYLLABLES
    elif shape > 0.55:
        pool = BORROWED
    if shape < 0.08:
        return "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=rng.choice([2, 2, 3, 3, 4])))
    if shape < 0.12:
        return "".join(rng.choices("ABCDEFGHJKLMNPQRSTVWXYZ", k=rng.choice([1, 2]))) + "".join(
            rng.choices(NAME_SYLLABLES, k=2)
        )
    if shape < 0.16:
        return "".join(rng.choices(pool, k=2)) + str(rng.choice([1, 2, 3, 5, 7, 9, 21, 24, 25, 30, 77, 99, 365]))
    if shape < 0.22:
        return "".join(rng.choices(BORROWED, k=2)) + " " + "".join(rng.choices(BORROWED, k=rng.choice([2, 3])))
    return "".join(rng.choices(pool, k=rng.choices([2, 3, 4], [55, 35, 10])[0]))


def _compound_stem(rng: random.Random) -> str:
    """A stem of two parts, such as people's articles have and the rows hardly: with a blank, a number or Latin letters in it."""
    pools = [NAME_SYLLABLES, BORROWED, COINED, SYLLABLES]
    first = "".join(rng.choices(rng.choice(pools), k=rng.choice([1, 2, 2, 3, 3])))
    kind = rng.random()
    if kind < 0.5:
        return f"{first} {''.join(rng.choices(rng.choice(pools), k=rng.choice([2, 2, 3])))}"
    if kind < 0.8:
        return first + str(rng.choice([rng.randint(1, 9), rng.randint(10, 99), rng.randint(100, 999)]))
    letters = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=rng.choice([1, 2, 3])))
    return letters + first if rng.random() < 0.6 else first + letters


def company(rng: random.Random, suffixes: list[str], *, wild: float = 0.0) -> str:
    """An invented company name; a third of the names end without one of `suffixes` or with a general one.

    `wild` is the share of stems drawn from all common syllables instead of name-like ones: the base model needs every
    syllable seen in a name.
    """
    while True:
        stem = _stem(rng, wild=rng.random() < wild)
        if not is_real(stem) and not any(word in stem for word in OFFENSIVE):
            break
    kind = rng.random()
    ascii_stem = stem.isascii()
    if kind < 0.2 and not ascii_stem and len(stem) > 2:
        return stem
    if kind < 0.35:
        return stem + rng.choice(GENERAL_SUFFIXES)
    if kind < 0.42:
        return f"{stem} {rng.choice(suffixes)}"
    if kind < 0.47:
        return stem + rng.choice(suffixes) + rng.choice(["홀딩스", "코리아", "글로벌", "시스템"])
    return stem + rng.choice(suffixes)


def person(rng: random.Random) -> str:
    """A Korean full name of three syllables."""
    return rng.choice(SURNAMES) + "".join(rng.choices(GIVEN, k=2))


def word(rng: random.Random, *, syllables: int | None = None, coined: float = 0.0) -> str:
    """A meaningless Korean word drawn from all common syllables, for a share of `coined` from those of coined names alone."""
    return "".join(
        rng.choices(
            COINED if coined and rng.random() < coined else SYLLABLES, k=syllables or rng.choice([2, 2, 3, 3, 4])
        )
    )


def draw_company(rng: random.Random, *, listed: float = 0.0) -> str:
    """A company's name: invented, in one of many shapes, or for a share of `listed` that of a real listed company (only where no event is told of it that a reader could take for news: see schedule.py)."""
    if listed and rng.random() < listed and (known := listed_companies()):
        return rng.choice(known)
    return company(rng, ENDINGS, wild=0.5)


@lru_cache
def listed_companies() -> tuple[str, ...]:
    """Names of companies listed in Korea, from the dictionary of ekonlpy (MIT); empty where that package is not installed."""
    spec = find_spec("ekonlpy")
    if spec is None or spec.origin is None:
        return ()
    lines = (Path(spec.origin).parent / "data" / "dictionary" / "ENTITY.txt").read_text(encoding="utf-8").splitlines()
    found = (line.split("/")[0].strip() for line in lines)
    return tuple(
        name
        for name in found
        if 2 <= len(name) <= 10
        and not re.search(r"펀드|\d호|이호|일호|삼호|투자신탁|ETF|KODEX|KOSEF|TIGER|우$|우B$|채권|리츠|스팩", name)
    )
