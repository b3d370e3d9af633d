"""The model card says what the run was, and its code loads the adapter."""

import json
import re
import shutil
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from newsft.evaluation.__main__ import main
from newsft.models.run_record import read_run
from newsft.publish import card
from newsft.publish.licences import Licence, read_licence
from newsft.recipe import RECIPES

MINI, VARCO = RECIPES["mini"], RECIPES["varco"]


@pytest.fixture
def adapter(tmp_path):
    """The shipped adapter without its card."""
    folder = tmp_path / "my-news"
    shutil.copytree(MINI.adapter, folder, ignore=shutil.ignore_patterns("README.md"))
    return folder


@pytest.fixture
def run():
    return read_run(Path(MINI.adapter))


def test_card_of_the_miniature_says_what_it_was_made_from(adapter, run):
    card.write_card(adapter, MINI.model)
    written = ModelCard.load(adapter / "README.md")
    assert (written.data.license, written.data.library_name, written.data.language) == ("apache-2.0", "peft", "ko")
    assert written.data.base_model is None  # a folder's name would be taken for somebody's model on the hub
    for said in (
        "# my-news",
        run["base_fingerprint"],
        run["data_fingerprint"],
        "loss.png",
        "| learning_rate | 0.0004 |",
        "| lora_targets | q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj |",
        f"| seed | {MINI.seed} |",
    ):
        assert said in written.text, said
    for setting in (name for name in run["recipe"] if name not in card.ELSEWHERE):
        assert f"| {setting} |" in written.text
    assert "Llama" not in written.text and not (adapter / card.NOTICE_FILE).exists()
    assert (adapter / "evaluation" / "table.md").read_text(encoding="utf-8").strip() in written.text


def test_table_of_another_adapter_is_left_out(adapter):
    path = adapter / "evaluation" / "summary.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(
        json.dumps(summary | {"settings": summary["settings"] | {"adapter_fingerprint": "0" * 16}}), encoding="utf-8"
    )
    card.write_card(adapter, MINI.model)
    text = (adapter / "README.md").read_text(encoding="utf-8")
    assert "stock_f1" not in text and "python -m newsft.evaluation" in text


def test_card_of_a_llama_says_so_and_loads_from_the_hub(run, tmp_path):
    recipe = run["recipe"] | {"model": VARCO.model, "data": VARCO.data}
    text = card.format_card(
        run | {"recipe": recipe, "hub_name": "someone/Llama-news"}, read_licence(VARCO.model, tmp_path), folder=tmp_path
    )
    data = ModelCard(text).data
    assert (data.license, data.base_model, data.datasets) == ("llama3.1", VARCO.model, [VARCO.data])
    assert "**Built with Llama.**" in text and "Llama 3.1 Community License, Copyright © Meta" in text
    assert "# someone/Llama-news" in text and "snapshot_download('someone/Llama-news')" in text


def test_evaluation_in_the_adapters_folder_puts_its_table_into_the_card(adapter, monkeypatch, capsys):
    shutil.rmtree(adapter / "evaluation")
    card.write_card(adapter, MINI.model)
    monkeypatch.setattr(
        "sys.argv",
        [
            "evaluation",
            "--adapter",
            str(adapter),
            "--output",
            str(adapter / "evaluation"),
            "--limit",
            "1",
            "--max-new-tokens",
            "16",
        ],
    )
    main()
    assert "the card of" in capsys.readouterr().out
    text = (adapter / "README.md").read_text(encoding="utf-8")
    assert "The first row of the data" in text and "| stock_f1 |" in text


@pytest.mark.parametrize(
    ("model", "front", "expected"),
    [
        ("a/b", "license: llama3.2", Licence("llama3.2", llama=True)),
        (
            "a/b",
            "license: other\nlicense_name: llama-4\nlicense_link: LICENSE",
            Licence("other", "llama-4", "LICENSE", llama=True),
        ),
        ("a/TinyLlama", "license: apache-2.0", Licence("apache-2.0")),
        ("a/Llama-Ko", None, Licence(llama=True)),
        ("a/Llama-Ko", "license: [", Licence(llama=True)),
        ("a/b", "language: ko", Licence()),
        (VARCO.model, None, Licence("llama3.1", llama=True)),
    ],
)
def test_licence_is_the_one_that_the_base_names(model, front, expected, tmp_path):
    if front is not None:
        (tmp_path / "README.md").write_text(f"---\n{front}\n---\n\n# A model\n", encoding="utf-8")
    assert read_licence(model, tmp_path) == expected
    assert read_licence(model, tmp_path).text


def test_notice_lies_beside_an_adapter_of_a_llama(adapter, monkeypatch):
    monkeypatch.setattr(card, "read_licence", lambda *_: Licence("llama3.1", llama=True))
    card.write_card(adapter, MINI.model)
    assert (
        (adapter / "NOTICE")
        .read_text(encoding="utf-8")
        .startswith("Llama 3.1 is licensed under the Llama 3.1 Community License")
    )


def test_code_of_the_card_loads_the_adapter_and_answers(adapter, capsys, monkeypatch):
    card.write_card(adapter, MINI.model)
    code = re.search(r"```python\n(.*?)```", (adapter / "README.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    monkeypatch.chdir(adapter.parent)
    (adapter.parent / "assets").symlink_to(Path(MINI.model).parent)
    exec(compile(code.replace("max_new_tokens=512", "max_new_tokens=8"), "card", "exec"), {})
    assert capsys.readouterr().out.startswith("{'is_stock_related'")
