"""Whether a text is one of an article's sentences, cut and with another ending."""

import unicodedata

QUOTES = "\"'`´‘’‚‛“”„‟′″‵‶「」『』〈〉《》«»‹›＂＇"


def jamo(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _words(text: str) -> list[str]:
    return [
        "".join(
            character
            for character in word
            if character not in QUOTES + ",.!?·…()[]" or (character in ",." and word[:-1].count(character))
        ).strip(",.")
        for word in text.split()
    ]


def _same_ending(gold: str, word: str) -> bool:
    """Whether the last word of a gold text is a word of the article with its ending put into 합니다체 or -기."""
    if gold == word:
        return True
    for ending in ("습니다", "니다", "기"):
        if gold.endswith(ending):
            stem = jamo(gold[: -len(ending)])
            if stem and stem[-1] in (
                "\u11b8" if ending == "니다" else "\u11bb\u11af"
            ):  # ㅂ of 합니다; ㅆ of 떨어졌기 from 떨어져, ㄹ of 줄기 from 준다
                stem = stem[:-1]
            if stem and jamo(word).startswith(stem):
                return True
    for ending in (
        "했습니다",
        "됐습니다",
        "되었습니다",
        "합니다",
        "됩니다",
        "입니다",
        "했기",
        "됐기",
        "이기",
        "하기",
        "되기",
        "이었기",
        "였기",
        "였습니다",
        "이었습니다",
    ):
        if gold.endswith(ending) and gold[: -len(ending)] and word.startswith(gold[: -len(ending)]):
            return True
    return False


def copied_from(text: str, sentences: list[str]) -> str | None:
    """Why `text` is not one of `sentences`, cut and with another ending; None where it is."""
    words = [word for word in _words(text.removesuffix("때문입니다.").removesuffix("때문입니다")) if word]
    if not words:
        return "is empty"
    best, furthest = words[0], -1
    for sentence in sentences:
        rest, place = [word for word in _words(sentence) if word], 0
        for number, word in enumerate(words):
            last = number == len(words) - 1
            while place < len(rest) and not (rest[place] == word or (last and _same_ending(word, rest[place]))):
                place += 1
            if place == len(rest):
                if number > furthest:
                    best, furthest = word, number
                break
            place += 1
        else:
            return None
    return f"is not copied from one sentence (the word '{best}' does not follow there)"
