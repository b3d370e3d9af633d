"""The shortest run there is: one step, into a folder whose name has a space, by two processes that order their sets differently."""

import json
import shlex
import tempfile

import pytest
from safetensors.torch import load_file

from newsft.fingerprints import fingerprint_model
from tests import programs, tiny


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """hash seed -> output folder and what was printed. The seeds put q_proj and v_proj in different orders."""
    folder = tmp_path_factory.mktemp("first")
    model, rows = tiny.write_model(folder / "model"), tiny.write_rows(folder / "rows.jsonl", tiny.make_rows(8))
    found = {}
    outputs = {seed: folder / f"my adapter {seed}" for seed in ("0", "3")}
    words = {
        seed: ["train.py", *tiny.flags(model, rows, output, steps=1), "--save-every", "1"]
        for seed, output in outputs.items()
    }
    with tempfile.TemporaryFile("w+") as said:
        other = programs.start_new(*words["3"], output=said, errors=said, PYTHONHASHSEED="3")
        done = programs.run(*words["0"], PYTHONHASHSEED="0")  # which is what it was forked with
        assert done.returncode == 0, done.stderr
        code = other.wait(300)
        said.seek(0)
        found["0"], found["3"] = (outputs["0"], done.stdout), (outputs["3"], said.read())
        assert code == 0, found["3"][1]
    return found


def test_one_step_trains_something(runs):
    for output, _ in runs.values():
        run = json.loads((output / "run.json").read_text(encoding="utf-8"))
        assert [entry["learning_rate"] for entry in run["history"]] == [0.01]
        assert all(
            weight.any() for name, weight in load_file(output / "adapter_model.safetensors").items() if "lora_B" in name
        )  # zero before the first step


def test_same_run_has_the_same_adapter_and_fingerprint_whatever_the_order_of_sets(runs):
    for place in ("", "checkpoint-1"):
        assert len({(output / place / "adapter_config.json").read_text() for output, _ in runs.values()}) == 1
        assert (
            len({fingerprint_model(output / place, config="adapter_config.json") for output, _ in runs.values()}) == 1
        )


def test_adapter_saved_in_another_order_has_the_same_fingerprint(runs):
    output, _ = runs["0"]
    before, path = fingerprint_model(output, config="adapter_config.json"), output / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"target_modules": config["target_modules"][::-1]}, indent=2, sort_keys=True))
    assert fingerprint_model(output, config="adapter_config.json") == before
    path.write_text(json.dumps(config | {"target_modules": ["q_proj"]}, indent=2, sort_keys=True))
    assert fingerprint_model(output, config="adapter_config.json") != before
    path.write_text(json.dumps(config, indent=2, sort_keys=True))


def test_printed_command_holds_the_folder_as_one_word(runs):
    for output, printed in runs.values():
        (line,) = [line for line in printed.splitlines() if line.startswith("adapter saved")]
        assert shlex.split(line.split("see it with: ")[1]) == ["python", "app.py", "--adapter", str(output)]
