"""The page: paste Korean financial news and compare the base model's and the fine-tuned model's answers.

python app.py                       the miniature, on any CPU
python app.py --recipe varco        VARCO 8B with the adapter that train.py made
"""

import argparse
import os
import sys
from pathlib import Path

from newsft import recipe
from newsft.errors import UserError

SETTINGS = ("model", "adapter", "quantize", "attention", "data", "test_ratio", "evaluation", "max_new_tokens")
QUEUE_LENGTH = 200  # waiting comparisons; a class of a hundred fits twice


def parse_flags() -> argparse.Namespace:
    """Recipe, model and adapter; where to listen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser, only=SETTINGS)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), help="address to listen on; 0.0.0.0 opens the page to the network (127.0.0.1)")
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", "7860")), help="port to listen on (7860)")
    parser.add_argument("--share", action="store_true", help="also open a public gradio.live address")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser.parse_args()


def build(arguments: argparse.Namespace):
    """Load the models and build the page; nothing is launched."""
    chosen = recipe.from_flags(arguments)
    from newsft import data, models  # seconds of imports: --help and a wrong flag answer at once
    from newsft.engine import Engine
    from newsft.ui.page import build_page

    loaded = models.add_adapter(models.load_base(chosen.model, quantize=chosen.quantize, attention=chosen.attention), chosen.adapter)
    print(loaded.describe())
    try:
        rows = data.load_rows(chosen.data)
    except UserError as error:  # the hub out of reach: the lesson's tabs can show the embedded rows instead
        print(f"note: {error} The page shows the embedded rows.", file=sys.stderr)
        rows = data.load_rows(recipe.RECIPES["mini"].data)
    system_prompt = loaded.run["system_prompt"] if loaded.run else rows[0]["system_prompt"]
    engine, split = Engine(loaded, max_new_tokens=chosen.max_new_tokens), data.split_rows(rows, test_ratio=chosen.test_ratio)
    return build_page(engine, system_prompt=system_prompt, names=(Path(chosen.model).name, Path(chosen.adapter).name), split=split, evaluation=Path(chosen.evaluation))


def main() -> int:
    """Serve until interrupted; exit code 2 for what the user can put right."""
    arguments = parse_flags()
    try:
        page = build(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from newsft.ui.page import launch_settings

    try:
        page.queue(api_open=False, max_size=QUEUE_LENGTH).launch(server_name=arguments.host, server_port=arguments.port, share=arguments.share, inbrowser=arguments.open, **launch_settings())
    except OSError as error:
        print(f"error: port {arguments.port} on {arguments.host} cannot be used ({error}); give another with --port.", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
