"""Plain lines that say of companies that they rise or fall: what lists of the good and the bad are learnt from before the news is hard.

A round-up asks for two things at once: to see what each sentence means for its company, and to write down those of one side in turn,
each once, and then those of the other. Where the sign stands in a word, only the second is left to learn.
"""

import random
from collections.abc import Callable

from newsft.mini.korean import with_particle

WORDS = {
    "+": ["상승", "강세", "급등", "오름세", "반등", "호재", "수혜", "긍정적", "매수", "상향", "개선", "▲", "+"],
    "-": ["하락", "약세", "급락", "내림세", "반락", "악재", "피해", "부정적", "매도", "하향", "악화", "▼", "-"],
    "0": [
        "보합",
        "중립",
        "변동 없음",
        "유지",
        "영향 없음",
        "변동 없음",
        "보합",
        "중립",
        "보류",
        "유지",
        "유지",
        "0",
        "0",
    ],
}
VERBS = {
    "+": ["올랐다", "상승했다", "뛰었다", "강세를 보였다", "상승 마감했다", "오름폭을 키웠다", "웃었다"],
    "-": ["내렸다", "하락했다", "밀렸다", "약세를 보였다", "하락 마감했다", "낙폭을 키웠다", "울었다"],
    "0": ["보합이었다", "제자리였다", "변동이 없었다", "보합으로 마쳤다", "그대로였다", "움직이지 않았다", "잠잠했다"],
}
MOST = 8  # companies


def draw_board(
    rng: random.Random, *, invent: Callable[[random.Random], str], most: int = MOST
) -> list[tuple[str, str, str]]:
    """Up to `most` lines of one form: (company, its sign '+', '-' or '0', the line)."""
    names: list[str] = []
    for _ in range(rng.randint(1, most)):
        name = invent(rng)
        if not any(name in other or other in name for other in names):
            names.append(name)
    form = rng.choice([_labelled, _labelled, _told])
    kind = rng.randrange(len((WORDS if form is _labelled else VERBS)["+"]))
    mixed = rng.random() < 0.4  # each line with a word of its own
    shares = rng.choice([(1, 1, 0), (1, 1, 0), (2, 1, 1), (1, 2, 1), (3, 1, 0), (1, 3, 0)])
    layout = rng.randrange(4)
    lines = []
    for name in names:
        sign = rng.choices("+-0", shares)[0]
        lines.append((name, sign, form(rng, name, sign, None if mixed else kind, layout)))
    return lines


def _labelled(rng: random.Random, name: str, sign: str, kind: int | None, layout: int) -> str:
    word = rng.choice(WORDS[sign]) if kind is None else WORDS[sign][kind]
    figure = f"{rng.randint(0, 29)}.{rng.randint(0, 99):02d}%"
    return [f"{name}: {word}", f"{name} {figure} {word}", f"{name}({word} {figure})", f"{word} {name}"][layout]


def _told(rng: random.Random, name: str, sign: str, kind: int | None, layout: int) -> str:
    verb = rng.choice(VERBS[sign]) if kind is None else VERBS[sign][kind]
    figure = f"{rng.randint(1, 29)}.{rng.randint(0, 99):02d}%"
    subject = with_particle(name, "은" if layout % 2 else "이")
    between = [f" {figure}", "", f" 전날보다 {figure}", " 이날"][layout] if sign != "0" else ["", " 이날"][layout % 2]
    return f"{subject}{between} {verb}."
