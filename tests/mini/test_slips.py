import ast
import json
import random

import pytest
from transformers import AutoTokenizer

from newsft.encoding.chat import IGNORED
from newsft.mini import articles, tasks
from newsft.mini.corpus import answer_of
from newsft.mini.schedule import phase_at
from newsft.mini.slips import CLOSE, CUT, OPEN, set_slip, take_marks
from newsft.mini.stream import MENDED, SEED, Stream, _weigh
from newsft.mini.tokenizer import ASSET

SLIPPING = phase_at(9_000)


@pytest.fixture(scope="module")
def stream():
    return Stream(AutoTokenizer.from_pretrained(ASSET), steps=1, tokens=2000, micro_tokens=2000)


@pytest.fixture(scope="module")
def slipped(stream):
    """Encoded conversations that hold slips, with their spans."""
    rng = random.Random(SEED)
    drawn = (stream._encode(tasks.draw_conversation(rng, slips=0.9, objects=0.8, any_length=True).messages) for _ in range(150))
    return [(row, slips) for row, slips in drawn if slips]


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
    rng = random.Random(5)
    changed = early = 0
    for _ in range(400):
        article = articles.draw(rng, part="pretrain", length=300)
        answer = answer_of(article)
        slipped = set_slip(rng, answer, article.text, "이 뉴스는 부정적입니다. 핵심어는 파업입니다.")
        text, spans = take_marks(str(slipped))
        assert len(spans) <= 1
        assert list(ast.literal_eval(text)) == list(answer)
        assert json.loads(take_marks(json.dumps(slipped, ensure_ascii=False))[0]) == ast.literal_eval(text)
        for first, last in spans:
            cut_short = text[last - 2 : last] in ("',", '",')  # the end of the string belongs to the slip
            rest = ast.literal_eval(text[:first] + text[last - 2 * cut_short :])
            cut = [key for key in answer if rest[key] != answer[key]]  # the end of the one value that it is in, or of its last item
            assert len(cut) <= 1 and all(is_cut(rest[key], answer[key]) for key in cut)
            assert "': " in text[last:] or text.endswith("'}"), "a key follows every slip in a list"
            assert not cut_short or text[last : last + 2] in (" '", ' "'), "a key follows the string that was cut short"
            changed += 1
            early += cut_short
    assert changed > 350 and early > 30


def test_what_slips_is_read_and_not_learned_and_its_end_weighs_most(slipped):
    assert len(slipped) > 40
    for row, slips in slipped:
        weights = _weigh(row, SLIPPING, slips)
        for first, last in slips:
            inside = [weight for weight, (start, end) in zip(weights, row.spans, strict=True) if first <= start < end <= last]
            ending = [weight for weight, (start, end) in zip(weights, row.spans, strict=True) if start <= last < end]
            assert set(inside) <= {0.0}
            assert set(ending) == {MENDED}


def test_rows_without_slips_weigh_as_before(slipped):
    for row, _ in slipped:
        weights = _weigh(row, SLIPPING)
        assert all(weight > 0 for weight, label in zip(weights, row.labels, strict=True) if label != IGNORED)


def test_some_documents_of_the_last_phase_slip_and_most_do_not(stream):
    rng = random.Random(6)
    drawn = [stream._encode(one.messages) for _ in range(200) for one in SLIPPING.draw(rng)]
    assert 0.02 < sum(bool(slips) for _, slips in drawn) / len(drawn) < 0.4


def test_ends_of_items_strings_and_lists_are_decisions_and_the_end_of_the_answer_is_not(stream):
    answer = "{'negative_keywords': ['파업', '적자'], 'summary': '줄었습니다.', 'is_stock_related': True}"
    row, _ = stream._encode([{"role": "user", "content": "기사"}, {"role": "assistant", "content": answer}])
    begin = row.text.index(answer)
    ends = ("', '적", "'], '", "', 'is")
    weights = [weight for weight, (start, end) in zip(_weigh(row, SLIPPING), row.spans, strict=True) for text in ends if start <= begin + answer.index(text) < end]
    assert weights == [SLIPPING.decided] * len(ends)
    row, _ = stream._encode([{"role": "user", "content": "기사"}, {"role": "assistant", "content": "{'summary': '줄었습니다.'}"}])
    assert [weight for weight, (start, end) in zip(_weigh(row, SLIPPING), row.spans, strict=True) if row.text[start:end].endswith("'}")] == [SLIPPING.told]
