import ast
import json
import random

import pytest

from newsft.mini.slips import CLOSE, CUT, OPEN, set_slip, take_marks
from newsft.mini.written import read_written


@pytest.mark.parametrize(
    ("text", "plain", "spans"),
    [
        ("", "", []),
        ("그대로", "그대로", []),
        (f"가{OPEN}나다{CLOSE}라", "가나다라", [(1, 3)]),
        (f"{OPEN}가{CLOSE}나{OPEN}다{CLOSE}", "가나다", [(0, 1), (2, 3)]),
        (f"'가{OPEN} 나{CUT}', '다'", "'가 나', '다'", [(2, 6)]),
        (f"'가{OPEN} 나{CUT}'}}", "'가 나'}", [(2, 4)]),
    ],
)
def test_marks_are_taken_out_and_what_they_enclosed_is_known(text, plain, spans):
    assert take_marks(text) == (plain, spans)


def is_cut(short: str | list[str], whole: str | list[str]) -> bool:
    if isinstance(whole, list):
        return short[:-1] == whole[:-1] and is_cut(short[-1], whole[-1])
    return whole.startswith(short)


def test_answer_with_a_slip_still_parses_and_is_the_answer_without_it():
    rng, articles = random.Random(5), read_written()
    changed = early = 0
    for _ in range(400):
        article = rng.choice(articles)
        answer = article.answer
        slipped = set_slip(rng, answer, article.news, "이 뉴스는 부정적입니다. 핵심어는 파업입니다.")
        text, spans = take_marks(str(slipped))
        assert len(spans) <= 1
        assert list(ast.literal_eval(text)) == list(answer)
        assert json.loads(take_marks(json.dumps(slipped, ensure_ascii=False))[0]) == ast.literal_eval(text)
        for first, last in spans:
            cut_short = text[last - 2 : last] in ("',", '",')  # the end of the string belongs to the slip
            rest = ast.literal_eval(text[:first] + text[last - 2 * cut_short :])
            cut = [
                key for key in answer if rest[key] != answer[key]
            ]  # the end of the one value that it is in, or of its last item
            assert len(cut) <= 1 and all(is_cut(rest[key], answer[key]) for key in cut)
            assert "': " in text[last:] or text.endswith("'}"), "a key follows every slip in a list"
            assert not cut_short or text[last : last + 2] in (" '", ' "'), "a key follows the string that was cut short"
            changed += 1
            early += cut_short
    assert changed > 350 and early > 10
