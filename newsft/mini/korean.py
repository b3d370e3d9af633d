"""Korean particles (josa) after any word: Hangul, digits, Latin letters, percent signs."""

# Each particle: the form after a final consonant, the form after a vowel.
PARTICLES = {
    "은": ("은", "는"),
    "이": ("이", "가"),
    "을": ("을", "를"),
    "과": ("과", "와"),
    "으로": ("으로", "로"),
    "이라": ("이라", "라"),
    "이란": ("이란", "란"),
    "이든": ("이든", "든"),
    "이며": ("이며", "며"),
    "이나": ("이나", "나"),
    "이다": ("이다", "다"),
    "이었": ("이었", "였"),
    "아": ("아", "야"),
}
RIEUL = 8  # the index of ㄹ among the final consonants of a Hangul syllable
# How digits and letters are read aloud decides: 1 is 일, 3 is 삼, L is 엘, M is 엠. Those ending in ㄹ take 로.
FINAL_OF_SIGN = {"0": 21, "1": RIEUL, "3": 16, "6": 1, "7": RIEUL, "8": RIEUL, "L": RIEUL, "M": 16, "N": 4, "R": RIEUL}


def final_consonant(word: str) -> int:
    """The index (0 = none) of the final consonant with which `word` ends when read aloud; closing marks are skipped."""
    for sign in reversed(word):
        if "가" <= sign <= "힣":
            return (ord(sign) - ord("가")) % 28
        if sign == "%":
            return 0
        if sign.isalnum():
            return FINAL_OF_SIGN.get(sign.upper(), 0)
    return 0


def with_particle(word: str, particle: str) -> str:
    """`word` followed by the fitting form of `particle`, named by its form after a consonant; KeyError if unknown."""
    closed, opened = PARTICLES[particle]
    final = final_consonant(word)
    if particle == "으로" and final == RIEUL:
        return word + opened
    return word + (closed if final else opened)
