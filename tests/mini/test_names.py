import random
import re

import pytest

from newsft.mini import exercises, names

SUFFIXES = names.ENDINGS


def draw_names(count=400, *, seed=5, wild=0.0):
    rng = random.Random(seed)
    return [names.company(rng, SUFFIXES, wild=wild) for _ in range(count)]


def test_same_seed_gives_the_same_names_and_another_seed_others():
    assert draw_names(20) == draw_names(20)
    assert draw_names(20) != draw_names(20, seed=6)


def test_no_invented_name_is_that_of_a_real_company():
    assert [name for name in draw_names(2000, wild=0.3) if names.is_real(name)] == []


@pytest.mark.parametrize("name", ["삼성전자", "삼성", "현대 상선", "카카오", "LG", "LG전자", "SK 하이", "CJ24"])
def test_real_companies_are_recognised(name):
    assert names.is_real(name)


@pytest.mark.parametrize("name", ["새빛온", "QX", "LGX", "벨루나"])
def test_invented_names_are_let_through(name):
    assert not names.is_real(name)


def test_names_come_in_many_shapes():
    drawn = draw_names(1000)
    assert len(set(drawn)) > 950
    assert any(" " in name for name in drawn)
    assert any(name[0].isascii() and name[0].isalpha() for name in drawn)
    assert any(any(sign.isdigit() for sign in name) for name in drawn)
    assert all(2 <= len(name) <= 20 and name == name.strip() for name in drawn)


def test_person_is_a_surname_and_two_syllables():
    rng = random.Random(2)
    for _ in range(200):
        name = names.person(rng)
        assert len(name) == 3 and name[0] in names.SURNAMES


def test_words_have_the_length_asked_for():
    rng = random.Random(3)
    assert [len(names.word(rng, syllables=count)) for count in (1, 2, 5)] == [1, 2, 5]
    assert {len(names.word(rng)) for _ in range(100)} == {2, 3, 4}


def test_common_syllables_are_the_2350_of_the_korean_standard():
    assert len(names.SYLLABLES) == len(set(names.SYLLABLES)) == 2350
    assert names.SYLLABLES[0] == "가" and names.SYLLABLES[-1] == "힝"
    assert set(names.NAME_SYLLABLES + names.BORROWED) <= set(names.SYLLABLES)


def test_wild_names_often_have_a_blank_a_number_or_letters():
    wild = draw_names(400, seed=4, wild=1.0)
    compound = [name for name in wild if " " in name or not all("가" <= sign <= "힣" for sign in name)]
    assert 0.35 < len(compound) / len(wild) < 0.75
    assert any(re.search(r"[가-힣]{3}\d+", name) for name in wild), "three syllables and a number"


def test_wild_names_bring_in_every_coined_syllable_that_the_other_names_lack():
    assert not set(names.COINED) & set(names.NAME_SYLLABLES) and set("멜톡뱅샤칭") <= set(names.COINED)
    used = set("".join(draw_names(6000, seed=8, wild=1.0)))
    assert len(set(names.COINED) - used) < 0.03 * len(names.COINED)


def test_listed_names_come_only_where_they_are_asked_for():
    known = set(names.listed_companies())
    rng = random.Random(9)
    assert not known & {names.draw_company(rng) for _ in range(300)}
    if not known:
        pytest.skip("ekonlpy is not installed")
    drawn = [names.draw_company(rng, listed=0.5) for _ in range(300)]
    assert 0.4 < sum(name in known for name in drawn) / 300 < 0.6
    assert len(known) > 3000 and not any("펀드" in name for name in known)


def test_drills_hold_every_common_syllable_about_alike():
    rng = random.Random(4)
    told = "".join(
        exercises.draw_drill(rng, names.draw_company, ["한 문장입니다."] * 4).messages[-1]["content"]
        for _ in range(1500)
    )
    counts = sorted(told.count(syllable) for syllable in names.SYLLABLES)
    assert counts[len(counts) // 20] >= 7 and counts[0] > 0
