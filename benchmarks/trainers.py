"""Whether the other trainers still make the rows that assets/trainers.toml says: each one's own data preparation is run and compared with our functions.

python -m benchmarks.trainers --trainers axolotl,mlx

The packages of `trainer_probes/packages.toml` are installed without their dependencies into a temporary folder, one trainer after the other, and stand before this
project's own there; that needs the network. A probe gets Llama 3's tokenizer as the hub has it (BOS before every text) and five conversations. TRL, which is
installed here, is asked by tests/lessons/test_trainers.py.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from datetime import date
from pathlib import Path

from tokenizers.processors import TemplateProcessing
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.flags import Flags
from benchmarks.result import print_result
from newsft.encoding.chat import ChatFormat
from newsft.encoding.llama3 import convert_tokenizer, llama3_chat, tiktoken_file
from newsft.encoding.row import IGNORED, Encoded
from newsft.lessons.conversations import TOY
from newsft.lessons.trainers import Trainer, load_trainers, prepare_row
from tests.templates import DATED, LLAMA3, with_template

PROBES = Path(__file__).with_name("trainer_probes")
PACKAGES: dict[str, list[str]] = tomllib.loads((PROBES / "packages.toml").read_text(encoding="utf-8"))
SHORT = 30  # as in the probes: the limit of the row `cut`
SYSTEM, USER, ANSWER = TOY
CONVERSATIONS = {
    "toy": TOY,
    "two": [*TOY, {"role": "user", "content": "고맙습니다."}, {"role": "assistant", "content": "천만에요."}],
    "spaced": [SYSTEM, USER, ANSWER | {"content": f"  {ANSWER['content']}\n"}],
    "long": [
        SYSTEM,
        USER | {"content": "오늘 날씨는 맑고 화창합니다." + " 오늘 날씨는 맑고 화창합니다." * 699},
        ANSWER,
    ],
    "pasted": [SYSTEM, USER | {"content": f"비가 {llama3_chat().end_token} 올까요?"}, ANSWER],
}


def write_asked(folder: Path) -> Path:
    """What the probes read: tokenizers, a model of one layer beside the first of them, conversations."""
    tokenizer = convert_tokenizer()
    tokenizer.pad_token = None
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{tokenizer.bos_token} $A", special_tokens=[(tokenizer.bos_token, tokenizer.bos_token_id)]
    )
    for name, template in (("l3", LLAMA3), ("l31", DATED)):
        tokenizer.chat_template = template
        tokenizer.save_pretrained(folder / name)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=131_072,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "l3")
    asked = {name: str(folder / name) for name in ("l3", "l31")}
    asked |= {"model": asked["l3"], "tiktoken": str(tiktoken_file()), "conversations": CONVERSATIONS}
    file = folder / "asked.json"
    file.write_text(json.dumps(asked), encoding="utf-8")
    return file


def run_probe(name: str, asked: Path) -> dict:
    """What one trainer makes of the conversations: its `rows` and `mended` ones; a `failure` where it could not be installed or run."""
    with tempfile.TemporaryDirectory() as folder:
        install = "-m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --no-compile"
        commands = {
            "install": [*install.split(), "--target", folder, *PACKAGES[name]],
            "run": [str(PROBES / f"{name}_probe.py"), str(asked), f"{folder}/rows.json"],
        }
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
        for step, command in commands.items():
            beside = {"PYTHONPATH": folder} if step == "run" else {}
            ended = subprocess.run(
                [sys.executable, *command], env=environment | beside, cwd=folder, capture_output=True, text=True
            )
            if ended.returncode:
                return {"failure": f"{step}: {ended.stderr.strip().splitlines()[-1][:200]}"}
        return json.loads(Path(folder, "rows.json").read_text(encoding="utf-8"))


def is_same(seen: dict | None, row: Encoded | None) -> bool:
    """Whether ids and labels agree; the first label counts for nothing, as no token is predicted there. No row agrees with an error in its place."""
    if seen is None or "error" in seen or row is None:
        return row is None and (seen is None or "error" in seen)
    return seen["ids"] == row.input_ids and seen["labels"][1:] == row.labels[1:]


def compare(trainer: Trainer, rows: dict[str, dict | None]) -> dict[str, bool]:
    """For each conversation whether the entry's functions make the row that the trainer made."""
    chat, agrees = llama3_chat(), {}
    for name, seen in rows.items():
        if name == "pasted":
            more = seen["ids"].count(chat.end_id) > rows["toy"]["ids"].count(chat.end_id)
            agrees[name] = trainer.pasted == ("control" if more else "text")
        else:
            messages = CONVERSATIONS["toy" if name == "cut" else name]
            limit = SHORT if name == "cut" else None
            agrees[name] = is_same(seen, prepare_row(trainer, chat, messages, today=date.today(), limit=limit))
    return agrees


def is_mended(row: dict | None) -> bool:
    """Whether it is the official template's row, Llama 3's or 3.1's, with the answer and its end trained; mlx-lm's token of padding may follow."""
    formats, names = (llama3_chat(), ChatFormat(with_template(llama3_chat().tokenizer, DATED))), ("toy", "long")
    if row is None or "error" in row:
        return False
    rights = [chat.encode_row(CONVERSATIONS[name]) for chat in formats for name in names]
    return any(
        len(row["ids"]) <= len(right) + 1
        and is_same({column: values[: len(right)] for column, values in row.items()}, right)
        for right in rights
    )


def main() -> None:
    """Print what agrees and, last, one JSON line; exit 1 where something does not, or could not be run."""
    parser = Flags(__doc__, trainers="renderers")
    parser.add_argument("--trainers", default=",".join(PACKAGES), help="their names (default: %(default)s)")
    names = parser.parse_args().trainers.split(",")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        asked = write_asked(Path(folder))
        for name in names:
            seen = run_probe(name, asked)
            figures |= {name: seen} if "failure" in seen else {}
            for key, rows in seen.get("rows", {}).items():
                agrees = compare(load_trainers()[key], rows)
                mended = {"mended": is_mended(seen["mended"][key])} if key in seen["mended"] else {}
                figures[key] = agrees | mended
                print(key, counts(rows["toy"]), figures[key], flush=True)
    print_result(figures)
    raise SystemExit(any(value is not True for found in figures.values() for value in found.values()))


def counts(row: dict) -> str:
    """Trained tokens and ids, as the document's table has them."""
    return f"{sum(label != IGNORED for label in row['labels'])} / {len(row['ids'])}"


if __name__ == "__main__":
    main()
