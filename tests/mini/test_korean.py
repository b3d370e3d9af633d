import pytest

from newsft.mini.korean import final_consonant, with_particle


@pytest.mark.parametrize(
    "word, particle, expected",
    [
        ("삼성", "은", "삼성은"),
        ("전자", "은", "전자는"),
        ("제약", "이", "제약이"),
        ("회사", "이", "회사가"),
        ("계약", "을", "계약을"),
        ("투자", "을", "투자를"),
        ("공장", "과", "공장과"),
        ("수주", "과", "수주와"),
        ("미국", "으로", "미국으로"),
        ("중화", "으로", "중화로"),
        ("서울", "으로", "서울로"),
        ("서울", "은", "서울은"),
        ("공장", "이라", "공장이라"),
        ("수주", "이라", "수주라"),
        ("제품", "이며", "제품이며"),
        ("전지", "이며", "전지며"),
        ("사실", "이었", "사실이었"),
        ("호재", "이었", "호재였"),
    ],
)
def test_particle_follows_the_last_syllable(word, particle, expected):
    assert with_particle(word, particle) == expected


@pytest.mark.parametrize(
    "word, particle, expected",
    [
        ("12.5%", "을", "12.5%를"),  # 퍼센트를
        ("1", "을", "1을"),
        ("2", "을", "2를"),
        ("3", "으로", "3으로"),
        ("7", "으로", "7로"),  # 칠로
        ("10", "이", "10이"),
        ("HL", "은", "HL은"),  # 에이치엘은
        ("SK", "은", "SK는"),
        ("LM", "으로", "LM으로"),
        ("KR", "으로", "KR로"),  # 케이알로
        ("AI", "과", "AI와"),
    ],
)
def test_digits_letters_and_signs_go_by_how_they_are_read(word, particle, expected):
    assert with_particle(word, particle) == expected


@pytest.mark.parametrize(
    "word, expected", [("'새빛'", "'새빛'이"), ("대한(주)", "대한(주)가"), ("“전자” ", "“전자” 가")]
)
def test_closing_marks_are_passed_over(word, expected):
    assert with_particle(word, "이") == expected


@pytest.mark.parametrize("word, index", [("가", 0), ("각", 1), ("갈", 8), ("강", 21), ("힣", 27), ("...", 0), ("", 0)])
def test_final_consonant_is_its_place_in_unicode(word, index):
    assert final_consonant(word) == index


def test_unknown_particle_is_a_mistake_of_the_wording():
    with pytest.raises(KeyError):
        with_particle("새빛", "는")
