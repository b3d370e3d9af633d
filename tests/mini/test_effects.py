import ast
import random

from newsft.mini.boards import VERBS, WORDS, draw_board
from newsft.mini.effects import SHORT, ask_each, ask_names, ask_one, ask_side, ask_sides, ask_sides_and_words, sides_of
from newsft.mini.names import draw_company

EFFECTS = {"가나전자": "+", "다라제강": "-", "마바식품": "0", "사아항공": "+"}


def test_lists_have_each_company_of_their_side_once_and_in_turn():
    assert sides_of(EFFECTS) == {"negative": ["다라제강"], "positive": ["가나전자", "사아항공"]}
    rng = random.Random(1)
    for _ in range(30):
        values = ast.literal_eval(ask_sides(rng, EFFECTS)[1])
        assert values == {"negative_impact_stocks": ["다라제강"], "positive_impact_stocks": ["가나전자", "사아항공"]}
        listed = ask_side(rng, EFFECTS)[1]
        assert ("다라제강" in listed) != ("가나전자" in listed) and "마바식품" not in listed


def test_each_company_is_judged_for_itself():
    rng = random.Random(2)
    for _ in range(30):
        answer = ask_each(rng, EFFECTS)[1]
        places = [answer.find(SHORT[sign]) for sign in EFFECTS.values()]
        assert -1 not in places and places[0] < places[1] < places[2]
        question, said = ask_one(rng, EFFECTS)
        name = next(name for name in EFFECTS if name in question)
        assert {"+": "긍정", "-": "부정", "0": "없습니다"}[EFFECTS[name]] in said
        assert all(name in ask_names(rng, EFFECTS)[1] for name in EFFECTS)


def test_board_says_of_each_company_what_its_sign_is():
    assert len({len(words) for words in WORDS.values()}) == len({len(words) for words in VERBS.values()}) == 1
    rng = random.Random(3)
    signs = set()
    for _ in range(200):
        lines = draw_board(rng, invent=draw_company)
        names = [name for name, _, _ in lines]
        assert len(set(names)) == len(names)
        for name, sign, text in lines:
            assert name in text and any(word in text.replace(name, "") for word in WORDS[sign] + VERBS[sign]), text
            signs.add(sign)
    assert signs == {"+", "-", "0"}


def test_each_side_has_words_of_its_own_lines_once_and_in_turn():
    rng = random.Random(4)
    words = {"+": ["공급계약", "증설", "공급계약", "배당"], "-": ["파업"]}
    for _ in range(30):
        values = ast.literal_eval(ask_sides_and_words(rng, EFFECTS, words)[1])
        assert [*values] == [
            "negative_impact_stocks",
            "negative_keywords",
            "positive_impact_stocks",
            "positive_keywords",
        ]
        found = values["positive_keywords"]
        assert values["negative_keywords"] == ["파업"] and 2 <= len(found) <= 3
        assert found == [word for word in ("공급계약", "증설", "배당") if word in found]
