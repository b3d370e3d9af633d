import json
from dataclasses import replace
from pathlib import Path

import pytest

from newsft.errors import UserError
from newsft.evaluation import metrics
from newsft.evaluation.growth import CURVE_FILE, measure_growth, read_curve
from newsft.evaluation.results import ANSWERS_FILE, read_generations, score_all
from newsft.inference.engine import load_engine
from newsft.models.growth import GROWTH
from newsft.recipe import RECIPES
from tests.growth import write_grown

MINI = RECIPES["mini"]
ROWS = 6


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    return write_grown(tmp_path_factory.mktemp("growth") / "adapter", steps=(0, 200))


@pytest.fixture(scope="module")
def curve(adapter, rows):
    return measure_growth(load_engine(replace(MINI, adapter=str(adapter))), rows[:ROWS])


def test_ends_of_the_curve_are_the_shipped_evaluations_on_the_same_rows(curve, rows):
    shipped = [one for one in read_generations(Path(MINI.evaluation) / ANSWERS_FILE) if one.row < ROWS]
    expected = {side: metrics.score(scored) for side, scored in score_all(rows, shipped).items()}
    assert [point["step"] for point in curve["points"]] == [0, 200, 372]
    for side, found in (("base", curve["base"]), ("base", curve["points"][0]), ("tuned", curve["points"][-1])):
        assert {name: found[name] for name in metrics.MEASURES} == {
            name: expected[side][name] for name in metrics.MEASURES
        }


def test_curve_is_read_back_from_the_adapters_folder(curve, adapter):
    assert read_curve(adapter) is None
    path = adapter / GROWTH / CURVE_FILE
    path.write_text(json.dumps(curve), encoding="utf-8")
    assert read_curve(adapter) == curve
    odd = curve | {"points": [point | {"step": "<b>"} for point in curve["points"]]}
    for damaged in ("{", "{}", "[]", json.dumps(odd)):
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(UserError, match=r"damaged.*newsft\.evaluation\.growth"):
            read_curve(adapter)
    path.unlink()


def test_adapter_that_was_kept_at_no_step_has_no_curve(rows, tmp_path):
    bare = write_grown(tmp_path / "bare", steps=())
    with pytest.raises(UserError, match="--keep-steps"):
        measure_growth(load_engine(replace(MINI, adapter=str(bare))), rows[:1])
