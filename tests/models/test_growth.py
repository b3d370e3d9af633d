import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from newsft.errors import UserError
from newsft.fingerprints import fingerprint_model
from newsft.models.growth import GROWTH, attach_steps, find_steps
from newsft.models.load import add_adapter, load_base
from newsft.models.run_record import RUN_FILE
from newsft.recipe import RECIPES
from tests.growth import SHIPPED, write_grown

MINI = RECIPES["mini"]


@pytest.fixture
def grown(tmp_path):
    return write_grown(tmp_path / "adapter", steps=(0, 200))


def attach(folder):
    loaded = add_adapter(load_base(MINI.model), str(folder))
    return replace(loaded, steps=attach_steps(loaded, folder))


def test_steps_are_loaded_in_order_and_the_adapter_is_the_last(grown):
    loaded = attach(grown)
    assert loaded.steps == (0, 200, 372)
    layer = loaded.model.get_base_model().model.layers[0].self_attn.q_proj
    assert set(layer.lora_A) == {"default", "step-0", "step-200"}
    assert not layer.lora_B["step-0"].weight.any()
    torch.testing.assert_close(
        layer.lora_B["step-200"].weight, layer.lora_B["default"].weight * 200 / 372, rtol=1e-3, atol=1e-6
    )


def test_steps_are_small_and_leave_the_adapter_another_ones_name(grown):
    files = find_steps(grown)
    whole = (grown / "adapter_model.safetensors").stat().st_size
    assert all(path.stat().st_size < 0.52 * whole for path in files.values())
    assert all(weight.dtype == torch.float16 for weight in load_file(files[200]).values())
    assert fingerprint_model(grown, config="adapter_config.json") == fingerprint_model(
        SHIPPED, config="adapter_config.json"
    )


def test_adapter_that_was_kept_at_no_step_or_has_no_record_grows_not(grown):
    assert find_steps(grown.parent) == {}
    (grown / RUN_FILE).unlink()
    assert attach(grown).steps == ()


def test_damaged_step_is_named(grown):
    path = grown / GROWTH / "step-200.safetensors"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=r"step-200.safetensors is damaged .*delete the folder"):
        attach(grown)


def test_step_of_another_run_is_refused(grown):
    run = json.loads((grown / RUN_FILE).read_text(encoding="utf-8")) | {"data_fingerprint": "0" * 16}
    (grown / RUN_FILE).write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(UserError, match=r"not of the run that made the adapter.*data_fingerprint"):
        attach(grown)
