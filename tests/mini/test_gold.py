import copy
import json
import subprocess
import sys
import unicodedata

import pytest

from newsft.mini.gold import check_row, check_rows

NEWS = (
    "도라제강, 전기로 1기 가동 중단…철근 값 넉 달째 내리막\n[포항=새재신문 유하람 기자] 도라제강이 3일부터 포항 2공장의 전기로 1기를 세웠다. 철근 유통가격이 t당 64만원까지 떨어져 만들수록 손해라는 판단에서다. "
    "회사는 재고가 적정 수준으로 내려갈 때까지 월 4만t가량을 덜 만든다. 고철을 대던 지역 업체들은 납품처를 급히 찾고 있다. “건설 착공이 늘지 않는 한 감산이 길어질 것”이라는 말이 현장에서 나온다. 도라제강은 2분기에도 영업손실 117억원을 냈다."
)
ROW = {
    "brief": 0,
    "news": NEWS,
    "names": {"company": ["도라제강"], "person": ["유하람"], "outlet": ["새재신문"]},
    "answer": {
        "is_stock_related": True,
        "negative_impact_stocks": ["도라제강"],
        "negative_keywords": ["전기로 1기", "철근 유통가격", "영업손실 117억원"],
        "positive_impact_stocks": [],
        "positive_keywords": [],
        "reason_for_negative_impact": "철근 유통가격이 t당 64만원까지 떨어졌기 때문입니다.",
        "reason_for_positive_impact": "",
        "summary": "도라제강이 3일부터 포항 2공장의 전기로 1기를 세웠습니다.",
    },
}


def changed(key=None, value=None, **row):
    """The row with another value in its answer, or other parts."""
    other = copy.deepcopy(ROW) | row
    if key:
        other["answer"][key] = value
    return other


def test_row_that_keeps_the_rules_has_no_finding():
    assert check_row(ROW) == []


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (changed("negative_impact_stocks", ["나래제강"]), "'나래제강' is not in the article"),
        (changed("negative_impact_stocks", ["새재신문"]), "not among names.company"),
        (changed("negative_impact_stocks", ["도라제강", "도라제강"]), "hold one twice"),
        (changed("negative_keywords", ["전기로 1기", "철근 유통가격이"]), "ends with a particle"),
        (changed("negative_keywords", ["전기로 1기", "2분기에"]), "ends with a particle"),
        (changed("negative_keywords", ["전기로 1기"]), "wanted two to five"),
        (changed("negative_keywords", ["전기로 1기", "도라제강이 3일부터"]), "holds a company's name"),
        (
            changed("negative_keywords", ["전기로 1기", "t당 64만원까지 떨어져 만들수록 손해라는"]),
            "more than four words",
        ),
        (changed("negative_keywords", ["전기로 1기", "영업손실 118억원"]), "is not in the article"),
        (changed("summary", "도라제강이 3일부터 포항 2공장의 전기로 7기를 세웠습니다."), "has the number 7"),
        (changed("summary", "도라제강이 3일부터 포항 공장의 설비를 세웠습니다."), "is not copied from one sentence"),
        (
            changed("summary", "도라제강이 월 4만t가량을 덜 만듭니다."),
            "is not copied from one sentence",
        ),  # stitched from two places
        (changed("summary", "도라제강이 3일부터 '포항 2공장'의 전기로 1기를 세웠습니다."), "quotation mark"),
        (changed("summary", "도라제강이 3일부터 포항 2공장의\n전기로 1기를 세웠습니다."), "line break"),
        (changed("summary", "도라제강이 3일부터 포항 2공장의 전기로 1기를 세웠다."), "must end with '니다.'"),
        (
            changed("reason_for_negative_impact", "철근 유통가격이 t당 64만원까지 떨어졌습니다."),
            "must end with '기 때문입니다.'",
        ),
        (changed("reason_for_negative_impact", ""), "together or be empty together"),
        (changed("positive_impact_stocks", ["도라제강"]), "stands on both sides"),
        (changed("is_stock_related", False), "must be null"),
        (changed("is_stock_related", "True"), "must be true or false"),
        (changed(answer=dict(reversed(ROW["answer"].items()))), "not the eight in their order"),
        (changed(names={"company": ["도라제강", "하늬전자"]}), "'하늬전자' is not in the article"),
        (changed(news=NEWS[:200]), "wanted 250 to 1500"),
        (changed(news=unicodedata.normalize("NFD", NEWS[:120])), "NFC"),
    ],
)
def test_finding_says_what_is_wrong(row, said):
    assert any(said in finding for finding in check_row(row)), check_row(row)


def test_words_may_be_left_out_of_a_copied_sentence_and_quotation_marks_with_them():
    assert check_row(changed("summary", "건설 착공이 늘지 않는 한 감산이 길어질 것이라는 말이 나옵니다.")) == []


@pytest.mark.parametrize("keyword", ["주가", "회의", "속도", "실적", "하반기 효과", "2분기"])
def test_nouns_that_end_like_a_particle_are_let_through(keyword):
    row = changed("negative_keywords", ["전기로 1기", keyword], news=f"{NEWS} {keyword}")
    assert not any("particle" in finding for finding in check_row(row))


def test_copied_article_is_named_with_both_rows():
    other = changed(news="이 제목은 위의 것과 다르다, 아래 글은 그대로다\n" + NEWS.split("\n")[1])
    findings = check_rows([ROW, changed(news=NEWS), other])
    assert {finding.row for finding in findings} == {1, 2}
    assert all("row 0" in finding.text for finding in findings)


def test_invented_company_with_a_real_ones_name_is_named():
    assert "real company" in str(check_rows([ROW], frozenset({"도라제강"}))[0])


def test_command_names_file_and_line_and_fails(tmp_path):
    lines = [ROW, changed("summary", "없는 말입니다.")]
    (tmp_path / "part.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in lines) + "{broken\n", encoding="utf-8"
    )
    done = subprocess.run([sys.executable, "-m", "newsft.mini.gold", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "part.jsonl:2: summary is not copied" in done.stdout
        and "part.jsonl:3:" in done.stdout
        and "part.jsonl:1" not in done.stdout
    )
    assert "3 rows" in done.stdout
