"""Merge an adapter into its base model: a plain checkpoint that any program loads.

python -m newsft.publish.merge --output DIR                     the miniature with the adapter that ships
python -m newsft.publish.merge --recipe varco --adapter NAME --output DIR
"""

import argparse
import json
import sys
from pathlib import Path

from newsft import recipe
from newsft.errors import UserError, command
from newsft.models.load import add_adapter, load_base, stop_ids

# What transformers 5 writes of a tokenizer and version 4 cannot read or need not know.
OTHER_VERSIONS = ("backend", "is_local", "local_files_only")


def export(base: str, adapter: str, output: Path) -> None:
    """Write base + adapter as one model with its tokenizer to `output`, which must be new or empty."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output} exists and is not an empty folder; give another with --output.")
    loaded = add_adapter(load_base(base), adapter)
    merged = loaded.model.merge_and_unload(safe_merge=True)
    merged.generation_config.eos_token_id = sorted(stop_ids(loaded.chat, merged))  # other programs look nowhere else
    merged.save_pretrained(output)
    loaded.chat.tokenizer.save_pretrained(output)
    _name_tokenizer(output / "tokenizer_config.json")
    for path in output.glob("*.safetensors"):
        path.chmod(0o644)  # written with 0600, which a server under another user cannot read


def _name_tokenizer(path: Path) -> None:
    """Name the class by which every version of transformers reads a tokenizer.json, and leave out where it was loaded from."""
    config = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: value for name, value in config.items() if name not in OTHER_VERSIONS} | {
        "tokenizer_class": "PreTrainedTokenizerFast"
    }
    path.write_text(json.dumps(kept, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def parse_flags() -> argparse.Namespace:
    """Base, adapter, and where the result goes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser, only=("model", "adapter"))
    parser.add_argument("--output", type=Path, required=True, help="new folder for the merged model")
    return parser.parse_args()


@command()
def main() -> None:
    """Export, then say what can be done with the result."""
    arguments = parse_flags()
    chosen = recipe.from_flags(arguments)
    export(chosen.model, chosen.adapter, arguments.output)
    print(
        f"{chosen.adapter} merged into {chosen.model} -> {arguments.output}; for llama.cpp write a GGUF with python -m newsft.publish.gguf"
    )


if __name__ == "__main__":
    sys.exit(main())
