import ast
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsft.evaluation import repair
from newsft.evaluation.answer import (
    KEYS,
    LENGTH_LIMIT,
    LISTS,
    MISSING_KEYS,
    NO_DICT,
    REPAIRED,
    STRICT,
    SYNTAX,
    TOO_LONG,
    UNREADABLE,
    WRONG_TYPE,
    read_answer,
)

REAL = Path(__file__).parents[3] / "shared" / "real"
FULL = {
    "is_stock_related": True,
    "negative_impact_stocks": [],
    "negative_keywords": [],
    "positive_impact_stocks": ["새빛 전자", "한들제약"],
    "positive_keywords": ["공급계약"],
    "reason_for_negative_impact": "",
    "reason_for_positive_impact": "계약을 맺었다.",
    "summary": "새빛 전자가 '대형' 계약을 맺었다.",
}
UNRELATED = dict.fromkeys(KEYS) | {"is_stock_related": False, "summary": "비가 왔다."}
TEXT, AS_JSON = str(FULL), json.dumps(FULL, ensure_ascii=False)


@pytest.mark.parametrize("value", [FULL, UNRELATED], ids=["related", "unrelated"])
def test_answer_in_the_trained_form_is_read_whole(value):
    answer = read_answer(f"\n{value} \n")
    assert answer.readable and answer.reading == STRICT and answer.values == value


def test_every_shipped_gold_answer_is_readable(rows):
    for row in rows:
        answer = read_answer(str(row["assistant"]))
        assert answer.readable, row["assistant"]
        assert answer.values == row["assistant"]


@pytest.mark.parametrize("name", ["test_0", "train_345"])
def test_published_gold_answer_is_readable(name):
    if not REAL.is_dir():
        pytest.skip("the two published rows are not here")
    gold = json.loads((REAL / f"{name}.json").read_text(encoding="utf-8"))["messages"][2]["content"]
    answer = read_answer(gold)
    assert answer.readable and answer.values["positive_impact_stocks"] + answer.values["negative_impact_stocks"]


# Whole answers in another dress: every value comes back, and what was done is named.
WHOLE = {
    "json": (AS_JSON, ["json"]),
    "json with escapes": (json.dumps(FULL), ["json"]),
    "json over several lines": (json.dumps(FULL, ensure_ascii=False, indent=2), ["json"]),
    "python in a fence": (f"```python\n{TEXT}\n```", ["fence"]),
    "fence without a language": (f"```\n{TEXT}\n```", ["fence"]),
    "json in a fence": (f"```json\n{AS_JSON}\n```", ["fence", "json"]),
    "fence that is not closed": (f"```python\n{TEXT}", ["fence"]),
    "text before": (f"답변: {TEXT}", ["around"]),
    "text after": (f"{TEXT}\n위와 같이 분석했습니다.", ["around"]),
    "text around a fence": (f"분석 결과입니다.\n```python\n{TEXT}\n```\n감사합니다.", ["fence", "around"]),
    "assignment": (f"answer = {TEXT}", ["around"]),
    "closing brace is missing": (TEXT[:-1], ["broken_off"]),
    "closing brace of json is missing": (AS_JSON[:-1], ["json", "broken_off"]),
    "a key twice, alike": (TEXT[:-1] + f", 'summary': {FULL['summary']!r}}}", ["repeated_key"]),
    "a key of json twice": (AS_JSON[:-1] + f', "summary": {json.dumps(FULL["summary"])}}}', ["json", "repeated_key"]),
    "python words and json words": (TEXT.replace("True", "true"), ["json"]),
    "line break in a string": (
        TEXT.replace("계약을 맺었다.'", "계약을 맺었다.'", 1).replace("'negative_keywords'", "\n'negative_keywords'"),
        [],
    ),
    "quotation in a single-quoted string": (TEXT.replace('"', "'"), ["quote"]),
    "keys in another order": (str(dict(reversed(FULL.items()))), []),
    "an extra key": (str({"comment": 1} | FULL), []),
    "an extra nested key": (str(FULL | {"note": {"가": [1, 2]}}), []),
    "a trailing comma": (TEXT[:-1] + ",}", []),
    "comments": (TEXT[:-1] + "  # 끝\n}", []),
    "a comment with a brace behind": (f"{TEXT}  # {{끝}}", []),
    "in brackets": (f"({TEXT})", []),
    "white space before that Python takes for an indent": (f"\n {TEXT}", ["space"]),
    "white space behind that Python takes for an indent": (f"{TEXT}\n ", ["space"]),
    "an ideographic space behind": (f"{TEXT}\u3000", ["space"]),
    "a no-break space between tokens": (TEXT.replace(", 'summary'", ",\u00a0'summary'"), ["space"]),
    "an ideographic space between tokens": (TEXT.replace("'summary': ", "'summary':\u3000"), ["space"]),
    "a line separator between items": (TEXT.replace("', '", "',\u2028'", 1), ["space"]),
    "a line separator in json": (AS_JSON.replace(", ", ",\u2028"), ["space", "json"]),
    "a stock code with leading zeros": (TEXT[:-1] + ", 'code': 005930}", ["number"]),
}


def reads_as_dict(text):
    try:
        return isinstance(ast.literal_eval(text), dict)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # all that ast.literal_eval names
        return False


@pytest.mark.parametrize("text, repairs", WHOLE.values(), ids=WHOLE)
def test_whole_answer_in_another_dress_loses_nothing(text, repairs):
    answer = read_answer(text)
    assert answer.values == FULL and answer.problem is None
    assert sorted(answer.repairs) == sorted(repairs)
    assert answer.readable == (answer.reading == STRICT) == reads_as_dict(text)


# Part of an answer: what was read, and by which repairs.
PART = {
    "nothing but braces": ("{}", {}, []),
    "two keys": ("{'is_stock_related': False, 'summary': '비'}", {"is_stock_related": False, "summary": "비"}, []),
    "the last of a repeated key": ("{'summary': '가', 'summary': '나'}", {"summary": "나"}, ["repeated_key"]),
    "broken off in a string": (
        "{'is_stock_related': True, 'summary': '새빛전",
        {"is_stock_related": True},
        ["broken_off"],
    ),
    "broken off in a list": (
        "{'is_stock_related': True, 'positive_keywords': ['가', '나",
        {"is_stock_related": True},
        ["broken_off"],
    ),
    "broken off after an item": (
        "{'is_stock_related': True, 'positive_keywords': ['가',",
        {"is_stock_related": True},
        ["broken_off"],
    ),
    "broken off in a key": ("{'is_stock_related': True, 'neg", {"is_stock_related": True}, ["broken_off"]),
    "broken off before a value": ("{'is_stock_related': True, 'summary':", {"is_stock_related": True}, ["broken_off"]),
    "broken off in a word": ("{'summary': '비', 'is_stock_related': Tr", {"summary": "비"}, ["broken_off"]),
    "broken off after a backslash": (
        "{'is_stock_related': True, 'summary': '가\\",
        {"is_stock_related": True},
        ["broken_off"],
    ),
    "broken off in a fence": ('```json\n{"summary": "비", "reason', {"summary": "비"}, ["broken_off", "fence"]),
    "a quotation": (
        "{'summary': '... '동네가게 오래함께' 캠페인 ...'}",
        {"summary": "... '동네가게 오래함께' 캠페인 ..."},
        ["quote"],
    ),
    "quotations with commas": (
        "{'summary': '그는 '좋다', '싫다'고 했다', 'is_stock_related': True}",
        {"summary": "그는 '좋다', '싫다'고 했다", "is_stock_related": True},
        ["quote"],
    ),
    "a quotation at the end": ("{'summary': '그는 '좋다''}", {"summary": "그는 '좋다'"}, ["quote"]),
    "a quotation in a list": (
        "{'positive_keywords': ['이른바 '반값' 행사', '나']}",
        {"positive_keywords": ["이른바 '반값' 행사", "나"]},
        ["quote"],
    ),
    "an apostrophe": ("{'summary': 'AB's Mall'}", {"summary": "AB's Mall"}, ["quote"]),
    "quotations in double quotes": ('{"summary": "그는 "좋다"고 했다"}', {"summary": '그는 "좋다"고 했다'}, ["quote"]),
    "a line break in a string": ("{'summary': '가\n나'}", {"summary": "가\n나"}, ["line_break"]),
    "a carriage return in a string": ("{'summary': '가\r나'}", {"summary": "가\r나"}, ["line_break"]),
    "a NUL character in a string": ("{'summary': '가\0나'}", {"summary": "가\0나"}, ["character"]),
    "a path of Windows": (r"{'summary': 'C:\Users 폴더'}", {"summary": r"C:\Users 폴더"}, ["escape"]),
    "an escape that does not go on": (r"{'summary': '\x 와 \u12'}", {"summary": r"\x 와 \u12"}, ["escape"]),
    "a name of a character, beside a quotation": (
        r"{'summary': '\N{BULLET} '가' 나'}",
        {"summary": r"\N{BULLET} '가' 나"},
        ["escape", "quote"],
    ),
    "an octal number of a character, beside a quotation": (
        r"{'summary': '\101 '가' 나'}",
        {"summary": r"\101 '가' 나"},
        ["escape", "quote"],
    ),
    "a line that goes on, beside a quotation": ("{'summary': '가\\\n'나' 다'}", {"summary": "가'나' 다"}, ["quote"]),
    "half a surrogate pair": ("{'summary': '\\ud800'}", {"summary": "�"}, []),
    "a surrogate pair in json": (
        '{"summary": "\\ud83d\\ude00", "is_stock_related": true}',
        {"summary": "😀", "is_stock_related": True},
        ["json"],
    ),
    "a raw surrogate": ("{'summary': '\ud800'}", {"summary": "�"}, ["character"]),
    "html": ("{'summary': '<script>alert(1)</script>'}", {"summary": "<script>alert(1)</script>"}, []),
    "control tokens as text": ("{'summary': '<|eot_id|>'}", {"summary": "<|eot_id|>"}, []),
    "a second dict": ("{'summary': '가'} {'summary': '나'}", {"summary": "가"}, ["around"]),
    "a brace behind": ("{'summary': '가'} 끝 {", {"summary": "가"}, ["around"]),
    "unicode escapes": ("{'summary': '\\uac00'}", {"summary": "가"}, []),
    "an unknown escape, broken off": ("{'summary': '\\q', 'is_stock", {"summary": "\\q"}, ["broken_off"]),
    "numbers where none belong, broken off": (
        "{'summary': '가', 'score': 0.5, 'neg",
        {"summary": "가"},
        ["broken_off"],
    ),
}


@pytest.mark.parametrize("text, values, repairs", PART.values(), ids=PART)
def test_part_of_an_answer_is_kept_and_nothing_is_invented(text, values, repairs):
    answer = read_answer(text)
    assert answer.values == values and sorted(answer.repairs) == sorted(repairs)
    assert answer.problem == MISSING_KEYS and answer.missing == tuple(key for key in KEYS if key not in values)
    assert not answer.readable


UNREAD = {
    "nothing": ("", NO_DICT, 0),
    "prose": ("이 뉴스는 긍정적입니다.", NO_DICT, 0),
    "a list": ("['가']", NO_DICT, 0),
    "a number": ("1", NO_DICT, 0),
    "a call": ("{'summary': open('/etc/passwd').read()}", SYNTAX, 12),
    "an import": ("{'summary': __import__('os').system('touch /tmp/forged')}", SYNTAX, 12),
    "a name": ("{summary: 1}", SYNTAX, 1),
    "a comprehension": ("{'summary': [x for x in 'ab']}", SYNTAX, 13),
    "an f-string": ("{'summary': f'{1}'}", SYNTAX, 12),
    "a lambda": ("{'summary': lambda: 1}", SYNTAX, 12),
    "a key that cannot be one": ("{[]: 1}", SYNTAX, 1),
    "a set": ("{1, 2}", SYNTAX, 1),
    "a brace alone": ("{", SYNTAX, 1),
    "deep braces": ("{" * 5000, SYNTAX, 1),
    "deep dicts": ("{'a':" * 4000, SYNTAX, 5),
    "deep lists": ("{'a': " + "[" * 9000, SYNTAX, 7),
    "full-width digits": ("{'summary': １２}", SYNTAX, 12),
    "a zero-width space between tokens": ("{'summary':\u200b'가'}", SYNTAX, 11),
    "a NUL character between tokens": ("{'summary':\0'가'}", SYNTAX, 11),
    "many signs": ("{'a':" + "-" * 15_000 + "1}", SYNTAX, 5),
    "a huge number": ("{'summary': 9" + "9" * 6000 + "e}", SYNTAX, 6013),
    "a zero byte": ("{\0", SYNTAX, 1),
    "many quotes": ("{" + "'" * 15_000, SYNTAX, 15_001),
    "too long": (str(FULL | {"summary": "가" * 20_001}), TOO_LONG, LENGTH_LIMIT),
    "a megabyte": ("{" + "가" * 1_000_000, TOO_LONG, LENGTH_LIMIT),
    "a colon is missing": ("{'is_stock_related' True}", SYNTAX, None),
    "a comma is missing": ("{'is_stock_related': True 'summary': '가'}", SYNTAX, 26),
    "broken off in the first value": ("{'summary': '가나", SYNTAX, 12),
}


@pytest.mark.parametrize("text, problem, position", UNREAD.values(), ids=UNREAD)
def test_unreadable_text_says_where_and_never_raises(text, problem, position):
    answer = read_answer(text)
    assert (answer.reading, answer.problem, answer.values, answer.readable) == (UNREADABLE, problem, {}, False)
    assert answer.position is not None and position in (None, answer.position)


def test_nothing_is_executed(tmp_path):
    target = tmp_path / "forged"
    read_answer(f"{{'summary': open({str(target)!r}, 'w')}}")
    assert not target.exists()


@pytest.mark.parametrize(
    "key, value",
    [
        ("is_stock_related", "True"),
        ("is_stock_related", 1),
        ("is_stock_related", None),
        ("positive_impact_stocks", "새빛전자"),
        ("positive_impact_stocks", [["새빛전자"]]),
        ("positive_impact_stocks", ("새빛전자",)),
        ("negative_keywords", {"가": 1}),
        ("negative_keywords", False),
        ("summary", ["가"]),
        ("summary", b"ab"),
        ("reason_for_positive_impact", 3),
    ],
)
def test_value_of_the_wrong_kind_is_named_and_left_out(key, value):
    answer = read_answer(str(FULL | {key: value}))
    assert (answer.problem, answer.missing) == (WRONG_TYPE, (key,))
    assert answer.values == {other: held for other, held in FULL.items() if other != key}


@pytest.mark.parametrize("absent", [None, [], ""])
def test_any_way_of_saying_nothing_is_readable(absent):
    changed = {key: absent for key in KEYS if key not in ("is_stock_related",)}
    assert read_answer(str(FULL | changed)).readable


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
ITEMS = st.one_of(st.none(), st.lists(TEXTS, max_size=4))
ANSWERS = st.fixed_dictionaries(
    {
        key: st.booleans() if key == "is_stock_related" else ITEMS if key in LISTS else st.one_of(st.none(), TEXTS)
        for key in KEYS
    }
)


@given(ANSWERS)
def test_every_well_formed_answer_comes_back(value):
    assert read_answer(str(value)).values == value
    as_json = read_answer(json.dumps(value))
    assert as_json.values == value and as_json.problem is None
    fenced = read_answer(f"```json\n{json.dumps(value, ensure_ascii=False)}\n```")
    assert fenced.values == value


@given(ANSWERS, st.floats(0, 1))
def test_a_cut_answer_never_holds_what_the_whole_does_not(value, share):
    text = str(value)
    answer = read_answer(text[: int(len(text) * share)])
    assert all(held == value[key] for key, held in answer.values.items())


@pytest.mark.parametrize("reason", ["", "리콜, '안전' 점검", "a, b: c"])
def test_an_answer_cut_at_any_character_never_holds_what_the_whole_does_not(reason):
    value = {
        "is_stock_related": False,
        "reason_for_positive_impact": reason,
        "negative_keywords": None,
        "positive_impact_stocks": ["", "새빛전자"],
        "summary": reason,
    }
    for text in (str(value), json.dumps(value, ensure_ascii=False)):
        for end in range(len(text)):
            assert all(held == value[key] for key, held in read_answer(text[:end]).values.items()), text[:end]


@given(st.text(max_size=200))
def test_no_text_raises(text):
    for one in (text, "{" + text, "{'summary': '" + text, "{'positive_keywords': ['" + text + "']}"):
        assert read_answer(one).reading in (STRICT, REPAIRED, UNREADABLE)


@given(TEXTS)
def test_the_damaged_reader_agrees_with_python_on_literals(text):
    literal = str({"summary": text, "positive_keywords": [text]})
    found = repair.read_damaged(literal)
    if not found.repairs and found.position is None:
        assert found.values == ast.literal_eval(literal)


ODD = [
    "\u00a0",
    "\u3000",
    "\u2028",
    "\u200b",
    "\ufeff",
    "\0",
    "\r",
    "\n",
    "\v",
    "\f",
    "\x1c",
    " ",
    "\\",
    "\\x",
    "\\u",
    "\\U",
    "\\N",
    "\\/",
    "0",
    "05",
    "'",
    '"',
    ",",
    ":",
    "{",
    "}",
    "[",
    "]",
    "(",
    "#",
    "\ud800",
    "가",
    "１",
    "None",
    "true",
    "-",
    "_",
    "e9",
    "j",
    "b'",
]


@st.composite
def disturbed_texts(draw):
    """An answer as text, or as JSON, with a few odd characters put in anywhere."""
    value = draw(ANSWERS)
    text = draw(st.sampled_from([str(value), json.dumps(value, ensure_ascii=False), "{}", "{'summary': '가', 'x': 1}"]))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.sampled_from([0, len(text), draw(st.integers(0, len(text)))]))
        text = text[:place] + draw(st.sampled_from(ODD)) + text[place + draw(st.integers(0, 1)) :]
    return text


@settings(max_examples=1000)
@given(st.one_of(disturbed_texts(), st.lists(st.sampled_from(ODD), max_size=12).map("".join)))
def test_strict_if_and_only_if_literal_eval_reads_a_dict(text):
    answer = read_answer(text)
    assert (answer.reading == STRICT) == reads_as_dict(text)
    assert (answer.reading == REPAIRED) <= bool(answer.repairs)  # each repair is named
    if answer.reading == STRICT:
        read = ast.literal_eval(text)
        assert all(
            held == read[key] for key, held in answer.values.items() if "\\u" not in text and "\\U" not in text
        )  # which may spell half a surrogate pair
