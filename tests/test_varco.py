"""A checkpoint with VARCO's layout and quirks through all programs by its path."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from gradio_client import Client
from transformers import AutoModelForCausalLM, AutoTokenizer

from newsft.models.load import add_adapter, load_base
from tests import programs
from tests.serve import serve
from tests.varco import write_varco_checkpoint

ROWS = 12  # the first six for the evaluation, the others for the training


def run(program: list[str], flags: list[str]) -> str:
    """What the program prints; it must end well, without the network."""
    done = programs.run(*program, *flags)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def train(model: Path, data: Path, output: Path, *flags: str) -> str:
    """Two steps."""
    return run(
        ["train.py"],
        [
            "--model",
            str(model),
            "--data",
            str(data),
            "--output",
            str(output),
            *"--max-steps 2 --batch-size 1 --accumulation 1 --learning-rate 0.01".split(),
            *flags,
        ],
    )


@pytest.fixture(scope="module")
def varco(rows, tmp_path_factory):
    """The checkpoint, short rows, and an adapter that `train.py` made of them; `flags` give them to the other programs."""
    folder = tmp_path_factory.mktemp("varco")
    model, data, adapter = write_varco_checkpoint(folder / "model"), folder / "rows.jsonl", folder / "adapter"
    short = sorted(rows, key=lambda row: len(row["user_prompt"]))[:ROWS]
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in short), encoding="utf-8")
    told = train(model, data, adapter)
    return SimpleNamespace(
        model=model,
        data=data,
        adapter=adapter,
        rows=short,
        told=told,
        folder=folder,
        flags=["--model", str(model), "--adapter", str(adapter)],
    )


def test_it_has_the_layout_and_the_quirks(varco):
    assert len(list(varco.model.glob("model-*-of-00004.safetensors"))) == 4
    config = json.loads((varco.model / "config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(varco.model)
    assert (config["eos_token_id"], tokenizer.pad_token, tokenizer.pad_token_id) == (128_001, "!", 0)
    assert tokenizer.apply_chat_template([{"role": "user", "content": "가"}], tokenize=False).endswith(
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )


def test_it_is_trained(varco):
    assert f"rows {ROWS // 2}, steps 2" in varco.told
    loaded = add_adapter(load_base(str(varco.model)), str(varco.adapter))
    assert any(weight.any() for name, weight in loaded.model.named_parameters() if "lora_B" in name)


def test_it_is_evaluated(varco):
    printed = run(
        ["-m", "newsft.evaluation"],
        [
            *varco.flags,
            "--data",
            str(varco.data),
            "--max-new-tokens",
            "8",
            "--output",
            str(varco.folder / "evaluation"),
        ],
    )
    summary = json.loads((varco.folder / "evaluation" / "summary.json").read_text(encoding="utf-8"))
    assert (summary["base"]["rows"], summary["tuned"]["rows"]) == (ROWS // 2, ROWS // 2)
    assert (varco.folder / "evaluation" / "table.md").read_text(encoding="utf-8").strip() in printed


def test_it_is_merged(varco):
    run(["-m", "newsft.publish.merge"], [*varco.flags, "--output", str(varco.folder / "merged")])
    merged = AutoModelForCausalLM.from_pretrained(varco.folder / "merged")
    assert merged.num_parameters() == load_base(str(varco.model)).model.num_parameters()
    assert 128_009 in merged.generation_config.eos_token_id  # <|eot_id|>, which its own config leaves out


def test_page_answers_with_it(varco):
    with serve(*varco.flags, "--data", str(varco.data), "--max-new-tokens", "8") as url:
        result = Client(url, verbose=False).predict(news=varco.rows[0]["user_prompt"], api_name="/compare")
    assert result["base"]["text"] and result["tuned"]["text"]
    assert result["base"]["tokens"] == result["tuned"]["tokens"] == 8  # of a random model, which never ends its turn


@pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed: nothing in 4 bits was tested",
)
def test_it_is_trained_in_4_bits(varco):
    wider = write_varco_checkpoint(varco.folder / "wider", hidden=128)  # bitsandbytes packs by 64 inputs and 32 outputs
    train(wider, varco.data, varco.folder / "adapter4", "--quantize", "4bit")
    assert (varco.folder / "adapter4" / "adapter_model.safetensors").exists()
