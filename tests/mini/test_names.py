import random

import pytest

from newsft.mini import names, wordings

SUFFIXES = sorted({suffix for sector in wordings.sectors().values() for suffix in sector["suffixes"]})


def possible_stems(name):
    """What may be the stem of a name: the name without none, one or two of the endings that the generator adds."""
    endings = [*SUFFIXES, *names.GENERAL_SUFFIXES, "증권", "투자증권"]
    once = {name[: -len(ending)].strip() for ending in endings if name.endswith(ending)}
    twice = {stem[: -len(ending)].strip() for stem in once for ending in endings if stem.endswith(ending)}
    return {name, *once, *twice} - {""}


def draw_names(part, count=400, *, seed=5, wild=0.0):
    rng = random.Random(seed)
    return [names.company(rng, SUFFIXES, part=part, wild=wild) for _ in range(count)]


@pytest.mark.parametrize("part", ["pretrain", "train", "test"])
@pytest.mark.parametrize("wild", [0.0, 1.0])
def test_company_belongs_to_the_part_that_was_asked_for(part, wild):
    for name in draw_names(part, wild=wild):
        assert part in {names.part_of(stem) for stem in possible_stems(name)}, name


def test_parts_share_no_company():
    drawn = [set(draw_names(part)) for part in ("pretrain", "train", "test")]
    assert not drawn[0] & drawn[1] and not drawn[0] & drawn[2] and not drawn[1] & drawn[2]


def test_eight_of_ten_stems_are_for_pretraining():
    rng = random.Random(1)
    parts = [names.part_of(names.word(rng)) for _ in range(5000)]
    assert parts.count("pretrain") / 5000 == pytest.approx(0.8, abs=0.03)
    assert parts.count("train") / 5000 == pytest.approx(0.1, abs=0.02)
    assert parts.count("test") / 5000 == pytest.approx(0.1, abs=0.02)


def test_same_seed_gives_the_same_names_and_another_seed_others():
    assert draw_names("train", 20) == draw_names("train", 20)
    assert draw_names("train", 20) != draw_names("train", 20, seed=6)


@pytest.mark.parametrize("part", ["pretrain", "train", "test"])
def test_no_name_is_that_of_a_real_company(part):
    assert [name for name in draw_names(part, 2000, wild=0.3) if names.is_real(name)] == []


@pytest.mark.parametrize("name", ["삼성전자", "삼성", "현대 상선", "카카오", "LG", "LG전자", "SK 하이", "CJ24"])
def test_real_companies_are_recognised(name):
    assert names.is_real(name)


@pytest.mark.parametrize("name", ["새빛온", "QX", "LGX", "벨루나"])
def test_invented_names_are_let_through(name):
    assert not names.is_real(name)


def test_names_come_in_many_shapes():
    drawn = draw_names("pretrain", 1000)
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
    rng = random.Random(4)
    wild = [names.company(rng, ["전자"], part="pretrain", wild=1.0) for _ in range(400)]
    compound = [name for name in wild if " " in name or not all("가" <= sign <= "힣" for sign in name)]
    assert 0.35 < len(compound) / len(wild) < 0.75
    assert any(name[-1].isdigit() and len(name.rstrip("0123456789")) == 3 for name in wild), "three syllables and a number"


def test_wild_names_bring_in_every_coined_syllable_that_the_other_names_lack():
    rng = random.Random(8)
    assert not set(names.COINED) & set(names.NAME_SYLLABLES) and set("멜톡뱅샤칭") <= set(names.COINED)
    used = set("".join(names.company(rng, ["전자"], part="pretrain", wild=1.0) for _ in range(6000)))
    assert len(set(names.COINED) - used) < 0.03 * len(names.COINED)
