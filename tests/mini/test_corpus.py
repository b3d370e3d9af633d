import ast
import json
import random
import re
from collections import Counter

import pytest

from newsft.data.rows import COLUMNS
from newsft.evaluation.answer import KEYS
from newsft.evaluation.fields import is_grounded
from newsft.mini import articles, corpus, names, wordings
from newsft.mini.wordings import fill
from newsft.paths import ASSETS
from tests.mini.test_names import possible_stems

STOCKS = ("negative_impact_stocks", "positive_impact_stocks")
KEYWORDS = ("negative_keywords", "positive_keywords")


def named(rows, keys=STOCKS):
    return {name for row in rows for key in keys for name in row["assistant"][key] or []}


@pytest.fixture(scope="module")
def drawn():
    rng = random.Random(11)
    return [articles.draw(rng, part="train", length=corpus.draw_length(rng, long=0.1)) for _ in range(1500)]


def test_shipped_rows_are_what_the_generator_writes_from_its_seed():
    shipped = (ASSETS / "news.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.dumps(row, ensure_ascii=False) for row in corpus.build_rows()] == shipped


def test_another_seed_gives_other_rows():
    here, there = corpus.build_rows(1), corpus.build_rows(2)
    assert not {row["user_prompt"] for row in here} & {row["user_prompt"] for row in there}


def test_there_are_991_different_rows_with_the_real_sets_columns(rows):
    assert len(rows) == len({row["user_prompt"] for row in rows}) == 991
    assert {tuple(row) for row in rows} == {COLUMNS}
    assert len({row["system_prompt"] for row in rows}) == 1


def test_every_answer_has_the_eight_keys_in_order(rows):
    assert {tuple(row["assistant"]) for row in rows} == {KEYS}


def test_every_answer_survives_being_written_and_read_as_a_dict(rows):
    assert all(ast.literal_eval(str(row["assistant"])) == row["assistant"] for row in rows)


@pytest.mark.parametrize("half", [slice(None), slice(0, 495), slice(495, None)], ids=["all", "test", "train"])
def test_about_three_in_ten_rows_are_about_no_stock_and_say_none(rows, half):
    unrelated = [row["assistant"] for row in rows[half] if not row["assistant"]["is_stock_related"]]
    assert len(unrelated) / len(rows[half]) == pytest.approx(0.3, abs=0.04)
    for answer in unrelated:
        assert answer["is_stock_related"] is False and answer["summary"]
        assert all(answer[key] is None for key in KEYS[1:-1])


def test_related_rows_name_a_stock_and_give_a_reason_for_each_direction(rows):
    directions = Counter()
    for answer in (row["assistant"] for row in rows):
        if answer["is_stock_related"]:
            assert None not in answer.values() and answer["summary"]
            for sign in ("negative", "positive"):
                stocks, keywords, reason = answer[f"{sign}_impact_stocks"], answer[f"{sign}_keywords"], answer[f"reason_for_{sign}_impact"]
                assert bool(stocks) == bool(reason), answer
                assert stocks or not keywords, answer
                directions[sign] += bool(stocks)
            assert answer["negative_impact_stocks"] or answer["positive_impact_stocks"]
            assert not set(answer["negative_impact_stocks"]) & set(answer["positive_impact_stocks"])
    assert min(directions.values()) > 200


def test_test_half_and_training_half_share_no_company(rows):
    test, train = named(rows[:495]), named(rows[495:])
    assert min(len(test), len(train)) > 400
    assert not test & train
    test_texts, train_texts = ("\n".join(row["user_prompt"] for row in half) for half in (rows[:495], rows[495:]))
    assert [name for name in test if name in train_texts] == []
    assert [name for name in train if name in test_texts] == []


def test_company_stems_are_those_of_their_half(rows):
    for part, half in (("test", rows[:495]), ("train", rows[495:])):
        strays = [name for name in named(half) if part not in {names.part_of(stem) for stem in possible_stems(name)}]
        assert strays == []


def test_no_company_is_a_real_one(rows):
    assert [name for name in named(rows) if names.is_real(name)] == []


def test_stocks_and_keywords_stand_in_their_article(rows):
    for row in rows:
        for name in named([row], STOCKS + KEYWORDS):
            assert name in row["user_prompt"], (name, row["user_prompt"])
            assert is_grounded(name, row["user_prompt"])


def test_companies_are_listed_in_the_order_of_first_mention(rows):
    for row in rows:
        for key in STOCKS + KEYWORDS:
            places = [row["user_prompt"].find(name) for name in row["assistant"][key] or []]
            assert places == sorted(places)


def test_articles_have_150_to_1500_characters_and_some_are_long(rows):
    lengths = [len(row["user_prompt"]) for row in rows]
    assert min(lengths) >= 150 and max(lengths) <= 1500
    assert sum(length > 600 for length in lengths) > 40


def test_no_text_holds_an_unfilled_slot(rows):
    for row in rows:
        values = [value for value in row["assistant"].values() if isinstance(value, str)] + sorted(named([row], STOCKS + KEYWORDS))
        for text in (row["user_prompt"], *values):
            assert not re.search(r"[{}]|\bNone\b", text), text


def test_no_particle_was_left_in_its_wrong_form(rows):
    # The generator writes particles by the last syllable; these can only come from a particle that was typed by hand.
    for row in rows:
        for name in named([row]):
            if "가" <= name[-1] <= "힣":
                closed = (ord(name[-1]) - ord("가")) % 28 > 0
                wrong = re.search(re.escape(name) + (r"[를가는와](?=[\s,.])" if closed else r"[을이은과](?=[\s,.])"), row["user_prompt"])
                assert wrong is None, wrong[0]


def test_there_are_at_least_sixty_kinds_of_events_and_all_are_told(drawn):
    kinds = [event["kind"] for event in wordings.events("train")]
    assert len(kinds) == len(set(kinds)) >= 60
    assert {kind for article in drawn for kind in article.kind.split("+")} == set(kinds)


def test_every_company_of_an_article_is_named_in_it(drawn):
    for article in drawn:
        assert set(article.positive) | set(article.negative) <= set(article.companies)
        assert [name for name in article.companies if name not in article.text] == []


def test_wide_wordings_name_every_company_too_and_stay_out_of_the_rows():
    rng = random.Random(12)
    drawn = [articles.draw(rng, part="pretrain", length=rng.randint(60, 900)) for _ in range(1500)]
    assert [(article.kind, name) for article in drawn for name in article.companies if name not in article.text] == []
    wide = [lead for event in wordings.events("pretrain") for lead in event["lead"]]
    narrow = [lead for event in wordings.events("train") for lead in event["lead"]]
    assert len(wide) == len(set(wide)) > 2 * len(narrow)
    assert wordings.events("test") == wordings.events("train")


def test_no_company_name_lies_inside_another_of_the_same_event(drawn):
    for article in drawn:
        if "+" not in article.kind:
            assert [(one, other) for one in article.companies for other in article.companies if one != other and one in other] == []


def test_some_articles_join_two_events_or_name_companies_that_nothing_happens_to(drawn):
    stock = [article for article in drawn if article.is_stock_related]
    assert 0.08 < sum("+" in article.kind for article in stock) / len(stock) < 0.25
    assert any(set(article.companies) - set(article.positive) - set(article.negative) for article in stock)
    assert any(article.positive and article.negative for article in stock)


@pytest.mark.parametrize("event", wordings.events("pretrain"), ids=lambda event: event["kind"])
def test_every_wording_of_an_event_can_be_filled(event):
    rng = random.Random(1)
    sector = next(iter(wordings.sectors())) if event.get("sectors", ["any"]) == ["any"] else event["sectors"][0]
    values = wordings.slot_values(rng, sector=sector, part="train") | dict.fromkeys(event["effect"], "새빛전자")
    values |= {slot: choices[0] for slot, choices in event.get("slots", {}).items()}
    lists = ("headline", "lead", "detail", "quote", "summary", "reason_pos", "reason_neg", "keywords", "keywords_pos", "keywords_neg")
    filled = [fill(text, values) for key in lists for text in event.get(key, [])]
    assert filled and not any(re.search(r"[{}]", text) for text in filled)
    signs = set(event["effect"].values())
    assert ("reason_pos" in event, "reason_neg" in event) == ("+" in signs, "-" in signs)


def test_sentences_for_any_article_can_be_filled_without_a_company():
    values = wordings.slot_values(random.Random(1), sector="food", part="train")
    for text in wordings.pools("pretrain")["filler"] + wordings.pools("pretrain")["market"] + wordings.pools("pretrain")["reporter"]:
        assert not re.search(r"[{}]", fill(text, values))


def test_sentences_about_a_company_can_be_filled():
    for sector in wordings.sectors().values():
        values = wordings.slot_values(random.Random(1), sector="food", part="train") | {"A": "새빛전자", "X": "한들제약"}
        pool = wordings.pools("pretrain")
        texts = [text for key in pool if key.startswith(("analyst", "price", "background", "closing", "competitor")) for text in pool[key]]
        for text in texts + sector["background"]:
            assert not re.search(r"[{}]", fill(text, values))


def test_slot_without_a_value_is_named():
    with pytest.raises(KeyError, match="nothing"):
        fill("{A:은} {nothing}", {"A": "새빛"})


def test_particles_fit_what_the_slot_was_filled_with():
    assert fill("{A:은} {B:과} {C:으로}", {"A": "새빛", "B": "전자", "C": "서울"}) == "새빛은 전자와 서울로"
