"""Merge an adapter into its base model: a plain checkpoint that any program loads.

python -m newsft.publish.merge --output DIR                     the miniature with the adapter that ships
python -m newsft.publish.merge --recipe varco --adapter NAME --output DIR
"""

import argparse
import sys
from pathlib import Path

from newsft import recipe
from newsft.errors import UserError, command
from newsft.models.load import add_adapter, load_base, stop_ids

GGUF = """For llama.cpp and what builds on it, make a GGUF of it with llama.cpp's own scripts:
  python convert_hf_to_gguf.py {folder} --outfile {name}.gguf
  llama-quantize {name}.gguf {name}-q4_k_m.gguf Q4_K_M"""


def export(base: str, adapter: str, output: Path) -> None:
    """Write base + adapter as one model with its tokenizer to `output`, which must be new or empty."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output} exists and is not an empty folder; give another with --output.")
    loaded = add_adapter(load_base(base), adapter)
    merged = loaded.model.merge_and_unload(safe_merge=True)
    merged.generation_config.eos_token_id = sorted(stop_ids(loaded.chat, merged))  # other programs look nowhere else
    merged.save_pretrained(output)
    loaded.chat.tokenizer.save_pretrained(output)
    for path in output.glob("*.safetensors"):
        path.chmod(0o644)  # written with 0600, which a server under another user cannot read


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
    print(f"{chosen.adapter} merged into {chosen.model} -> {arguments.output}\n{GGUF.format(folder=arguments.output, name=arguments.output.name)}")


if __name__ == "__main__":
    sys.exit(main())
