import json
import os
import subprocess
import sys
from pathlib import Path

from newsft import evaluation

ROOT = Path(__file__).parents[1]
GOLD = {
    "is_stock_related": True,
    "negative_impact_stocks": ["나쁨"],
    "negative_keywords": ["적자"],
    "positive_impact_stocks": ["좋음"],
    "positive_keywords": ["수주"],
    "reason_for_negative_impact": "이유",
    "reason_for_positive_impact": "이유",
    "summary": "요약",
}
ROWS = [
    {"system_prompt": "가", "user_prompt": "좋음 나쁨", "assistant": GOLD},
    {"system_prompt": "가", "user_prompt": "비", "assistant": dict.fromkeys(GOLD) | {"is_stock_related": False, "summary": "비"}},
]


def score(first: str, second: str) -> dict:
    return evaluation.score(ROWS, {0: first, 1: second}, {0: "end_of_turn", 1: "limit"})


def test_gold_answers_score_full_marks():
    found = score(str(ROWS[0]["assistant"]), str(ROWS[1]["assistant"]))
    assert (found["rows"], found["readable"], found["is_stock_related_accuracy"], found["stock_f1"], found["grounded"]) == (2, 1.0, 1.0, 1.0, 1.0)
    assert found["stop_reasons"] == {"end_of_turn": 1, "limit": 1}


def test_stock_on_the_wrong_side_counts_against_precision_and_recall():
    swapped = GOLD | {"negative_impact_stocks": ["좋음"], "positive_impact_stocks": ["나쁨"]}
    assert score(str(swapped), str(ROWS[1]["assistant"]))["stock_f1"] == 0.0


def test_unreadable_answers_count_as_wrong_but_may_name_the_company():
    found = score("좋음에 긍정적입니다.", "{'is_stock_related': False")
    assert (found["readable"], found["is_stock_related_accuracy"], found["stock_f1"], found["names_company"]) == (0.0, 0.0, 0.0, 1.0)
    assert found["problems"] == {"no_dict": 1, "broken_off": 1}


def test_invented_stock_lowers_precision_and_grounding():
    found = score(str(GOLD | {"positive_impact_stocks": ["좋음", "없는회사"]}), str(ROWS[1]["assistant"]))
    assert found["stock_recall"] == 1.0
    assert found["stock_precision"] == found["grounded"] == round(2 / 3, 4)


def test_batched_evaluation_gives_the_texts_of_single_comparisons(engine, rows):
    _, generations = evaluation.evaluate(engine, rows[:6])
    for one in generations:
        *_, last = engine.compare(rows[one.row]["user_prompt"], system_prompt=rows[one.row]["system_prompt"])
        assert last.answers[one.side].text == one.text


def test_command_writes_the_scores(tmp_path):
    target = tmp_path / "scores.json"
    done = subprocess.run(
        [sys.executable, "-m", "newsft.evaluation", "--limit", "4", "--json", str(target)], cwd=ROOT, capture_output=True, text=True, timeout=300, env=os.environ | {"HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr
    written = json.loads(target.read_text(encoding="utf-8"))
    for side in ("base", "tuned"):
        assert {"rows", "readable", "is_stock_related_accuracy", "stock_f1"} <= written[side].keys()
        assert written[side]["rows"] == 4
