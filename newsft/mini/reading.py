"""What can be found in a written article: its sentences, figures, quotations and names, and its sentences with other endings."""

import re

from newsft.evaluation.sources import split_sentences
from newsft.mini.copying import QUOTES
from newsft.mini.written import Written

FIGURE = re.compile(
    r"\d[\d,.]*(?:조|억|만|천|백)?(?:\d[\d,.]*(?:조|억|만|천|백)?)*\s?(?:원|달러|엔|유로|위안|퍼센트|%p|%|포인트|명|대|건|곳|개월|개국|개|t|톤|㎞|km|㎡|배|주|척|년|일|시간|분|세|위|호|회|MW|GWh|배럴)"
)
QUOTED = re.compile(r"[“\"]([^“”\"\n]{4,})[”\"]")
ENDED = re.compile(r"[.!?]$")


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
    for ending, turned in (
        ("한다", "하기"),
        ("된다", "되기"),
        ("진다", "지기"),
        ("는다", "기"),
        ("합니다", "하기"),
        ("됩니다", "되기"),
        ("입니다", "이기"),
    ):
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
