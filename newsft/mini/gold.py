"""Checks written articles and their gold answers: the gold says only what the article says. `python -m newsft.mini.gold FOLDER` names each row that fails."""

import argparse
import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from newsft.evaluation.answer import KEYS
from newsft.evaluation.sources import split_sentences
from newsft.mini.copying import QUOTES, copied_from

NAMES = ("company", "short", "person", "outlet", "product")
LENGTH = range(250, 1501)  # characters of an article
LONGEST_TEXT = 120  # characters of a string of the answer
KEYWORDS = range(2, 6)  # a side
SHARED_WORDS = 8  # so many words in a row in two articles make them near-duplicates

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
LEGAL_FORM = re.compile(r"^(㈜|\(주\)|주식회사)|(㈜|\(주\)|주식회사)$|\(\d{6}\)|\(\w*:?\d{6}\)")
CLEAR_PARTICLES = (
    "에서",
    "에게",
    "까지",
    "부터",
    "으로",
    "보다",
    "에는",
    "에도",
    "이라",
    "라고",
    "이라고",
    "하고",
    "에",
)
# Nouns that end like a particle which also fits the syllable before it.
NOUNS = tuple(
    "주가 유가 고가 추가 휴가 시가 저가 대가 허가 인허가 인가 상가 원가 평가 증가 국가 단가 정가 물가 호가 염가 전문가 투자가 사가 참가 결과 성과 통과 학과 효과 경과 "
    "사이 차이 높이 길이 깊이 아이 나이 로비 제로 도로 경로 진로 항로 활로 선로 회로 철로 서로 은행로 수로 유로 프로 킬로 고속도로 차로 판로 메트로 말로 바이오 다이 하이 "
    "반도체와 기와 한파 마을 가을 노을 겨울 젊은 갑을 을 시즌은 하와이 종이 놀이 먹이 벌이 맞이 풀이 걸이 물놀이 나들이 줄이 떡볶이 돈벌이 어린이 젊은이 늙은이 "
    "영업이익과 미만 이하 재료로 연구와 골목과 사과 내과 외과 안과 치과 과 평균 하락 은 금은 수은 보은 피해자는 하는 없는 있는".split()
)


@dataclass(frozen=True)
class Finding:
    """What is wrong with a row: `row` is its place in the file or files, counted from 0."""

    row: int
    text: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.text}"


def _ends_in_particle(keyword: str) -> bool:
    last = keyword.split()[-1]
    if last.endswith(NOUNS) or len(last) < 2 or not "가" <= last[-1] <= "힣":
        return False
    if last.endswith(CLEAR_PARTICLES) and len(last) > 2:
        return True
    before = last[-2]
    if not "가" <= before <= "힣":
        return last[-1] in "을를은는의"
    closed = (ord(before) - 0xAC00) % 28 != 0
    return last[-1] in ("을은이과" if closed else "를는가와")


def _check_text(name: str, text: str, ending: str) -> Iterator[str]:
    if not isinstance(text, str) or not text:
        yield f"{name} must be a text"
        return
    if set(text) & set(QUOTES):
        yield f"{name} has a quotation mark"
    if "\n" in text or "\\" in text:
        yield f"{name} has a line break or a backslash"
    if len(text) > LONGEST_TEXT:
        yield f"{name} has {len(text)} characters, at most {LONGEST_TEXT}"
    if not text.endswith(ending):
        yield f"{name} must end with '{ending}'"


def _check_side(side: str, answer: dict, news: str, sentences: list[str], companies: list[str]) -> Iterator[str]:
    stocks, keywords, reason = (
        answer[f"{side}_impact_stocks"],
        answer[f"{side}_keywords"],
        answer[f"reason_for_{side}_impact"],
    )
    if not (isinstance(stocks, list) and isinstance(keywords, list) and isinstance(reason, str)):
        yield f"{side}: stocks and keywords must be lists, the reason a text"
        return
    if bool(stocks) != bool(keywords) or bool(stocks) != bool(reason):
        yield f"{side}: stocks, keywords and reason must be given together or be empty together"
    for kind, values in (("stock", stocks), ("keyword", keywords)):
        for value in values:
            if not isinstance(value, str) or not value.strip() or value != value.strip():
                yield f"{side} {kind} {value!r} must be a text without white space around it"
                return
            if value not in news:
                yield f"{side} {kind} '{value}' is not in the article"
            if set(value) & set(QUOTES) or "\n" in value:
                yield f"{side} {kind} '{value}' has a quotation mark or a line break"
        if len(set(values)) < len(values):
            yield f"{side} {kind}s hold one twice"
    for stock in stocks:
        if LEGAL_FORM.search(stock):
            yield f"{side} stock '{stock}' carries a legal form or a ticker"
        if stock not in companies:
            yield f"{side} stock '{stock}' is not among names.company"
    if stocks and len(keywords) not in KEYWORDS:
        yield f"{side} keywords: {len(keywords)}, wanted two to five"
    for keyword in keywords:
        if len(keyword.split()) > 4:
            yield f"{side} keyword '{keyword}' has more than four words"
        if _ends_in_particle(keyword):
            yield f"{side} keyword '{keyword}' ends with a particle"
        if any(company in keyword for company in companies):
            yield f"{side} keyword '{keyword}' holds a company's name"
    if reason:
        yield from _check_text(f"reason_for_{side}_impact", reason, "기 때문입니다.")
        yield from _check_copied(f"reason_for_{side}_impact", reason, news, sentences)


def _check_copied(name: str, text: str, news: str, sentences: list[str]) -> Iterator[str]:
    missing = [number for number in NUMBER.findall(text) if number not in NUMBER.findall(news)]
    if missing:
        yield f"{name} has the number {missing[0]}, which the article has not"
    if problem := copied_from(text, sentences):
        yield f"{name} {problem}"


def check_row(row: dict) -> list[str]:
    """What is wrong with one row `{"news", "answer", "names"}`; nothing where all rules hold. Rules: docstring of this module, one sentence each in the findings."""
    news, answer = row.get("news"), row.get("answer")
    if not isinstance(news, str) or not isinstance(answer, dict):
        return ["news must be a text and answer an object"]
    found = []
    if len(news) not in LENGTH:
        found.append(f"the article has {len(news)} characters, wanted {LENGTH.start} to {LENGTH.stop - 1}")
    if unicodedata.normalize("NFC", news) != news or news != news.strip() or "�" in news or "\r" in news:
        found.append("the article is not in NFC, has white space around it or broken characters")
    if tuple(answer) != KEYS:
        return [*found, f"the answer's keys are not the eight in their order: {', '.join(answer)}"]
    names = row.get("names")
    if not isinstance(names, dict) or set(names) - set(NAMES):
        return [*found, f"names must be an object with some of {', '.join(NAMES)}"]
    for kind, values in names.items():
        found += [f"names.{kind} '{name}' is not in the article" for name in values if name not in news]
    sentences = split_sentences(news)
    related = answer["is_stock_related"]
    if related is False:
        if any(answer[key] is not None for key in KEYS[1:-1]):
            found.append("without a stock the six keys in between must be null")
    elif related is True:
        companies = names.get("company", [])
        for side in ("negative", "positive"):
            found += _check_side(side, answer, news, sentences, companies)
        stocks = [answer["negative_impact_stocks"], answer["positive_impact_stocks"]]
        if not any(stocks):
            found.append("an article about a stock must name one on a side")
        elif all(isinstance(side, list) for side in stocks) and set(map(str, stocks[0])) & set(map(str, stocks[1])):
            found.append("a stock stands on both sides")
    else:
        found.append("is_stock_related must be true or false")
    found += _check_text("summary", answer["summary"], "니다.")
    if isinstance(answer["summary"], str):
        found += _check_copied("summary", answer["summary"], news, sentences)
    return found


def check_rows(rows: Iterable[dict], real_names: frozenset[str] = frozenset()) -> list[Finding]:
    """All findings over `rows`: those of each row, near-duplicates, and invented companies that bear a real one's name."""
    findings: list[Finding] = []
    seen: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows):
        problems = check_row(row)
        for name in (row.get("names") or {}).get("company", []):
            if name.replace(" ", "").lower() in real_names:
                problems.append(f"'{name}' is the name of a real company")
        words = str(row.get("news", "")).split()
        grams = {tuple(words[place : place + SHARED_WORDS]) for place in range(len(words) - SHARED_WORDS + 1)}
        if twin := next((seen[gram] for gram in grams if gram in seen), None) if grams else None:
            problems.append(f"shares {SHARED_WORDS} words in a row with row {twin - 1}")
        for gram in grams:
            seen.setdefault(gram, number + 1)
        findings += [Finding(number, problem) for problem in problems]
    return findings


def read_rows(paths: Iterable[Path]) -> Iterator[tuple[str, dict]]:
    """(file:line, row) of JSONL files; a line that is no JSON object is a row that fails every rule."""
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    row = {"news": None, "problem": str(error)}
                yield f"{path.name}:{number}", row if isinstance(row, dict) else {"news": None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a JSONL file, or a folder of them")
    parser.add_argument("--real-names", type=Path, help="a file with the names of real companies, one a line")
    arguments = parser.parse_args()
    paths = [arguments.folder] if arguments.folder.is_file() else sorted(arguments.folder.glob("**/*.jsonl"))
    real = (
        frozenset(
            line.strip().replace(" ", "").lower()
            for line in arguments.real_names.read_text(encoding="utf-8").splitlines()
        )
        if arguments.real_names
        else frozenset()
    )
    places, rows = zip(*read_rows(paths), strict=True) if paths else ((), ())
    findings = check_rows(rows, real)
    for finding in findings:
        print(f"{places[finding.row]}: {finding.text}")
    print(f"{len(rows)} rows, {len({finding.row for finding in findings})} with findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
