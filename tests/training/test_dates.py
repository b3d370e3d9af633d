"""A chat template that writes the date: rows, prompts and a resumed run have the day on which the training began."""

import datetime
import json
import sys

import pytest
from transformers import AutoTokenizer

import train
from newsft.encoding import chat
from newsft.models.load import add_adapter, load_base
from newsft.models.run_record import RUN_FILE
from tests import tiny


@pytest.fixture
def on(monkeypatch):
    """Set the clock to a day of March."""

    def set_day(day):
        class Clock(datetime.date):
            @classmethod
            def today(cls):
                return datetime.date(2026, 3, day)

        monkeypatch.setattr(chat, "date", Clock)

    return set_day


def test_resumed_run_and_its_prompts_have_the_first_day(on, tmp_path, monkeypatch, capsys):
    model, rows, output = (
        tiny.write_model(tmp_path / "base"),
        tiny.write_rows(tmp_path / "rows.jsonl", tiny.make_rows(8)),
        tmp_path / "run",
    )
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{{- bos_token }}", "{{- bos_token + strftime_now('%d %b %Y') }}"
    )
    tokenizer.save_pretrained(model)
    flags = tiny.flags(model, rows, output, steps=2)
    for day, more in ((1, []), (2, ["--resume"])):
        on(day)
        monkeypatch.setattr(sys, "argv", ["train.py", *flags, *more])
        assert train.main() == 0
        assert "every row has 2026-03-01" in capsys.readouterr().out
    assert json.loads((output / RUN_FILE).read_text(encoding="utf-8"))["template_day"] == "2026-03-01"
    on(3)
    base = load_base(str(model))
    assert "03 Mar 2026" in base.chat.render([{"role": "user", "content": "?"}])
    assert "01 Mar 2026" in add_adapter(base, str(output)).chat.encode_prompt([{"role": "user", "content": "?"}]).text
