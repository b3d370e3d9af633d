"""The page: paste Korean financial news and compare the base model's and the fine-tuned model's answers.

python app.py                       the miniature, on any CPU
python app.py --recipe varco        VARCO 8B with the adapter that train.py made
python app.py --server URL --base-model NAME --tuned-model NAME     two models that another server holds
"""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from newsft import recipe
from newsft.errors import UserError
from newsft.recipe import Recipe

SETTINGS = ("model", "adapter", "quantize", "attention", "data", "test_ratio", "evaluation", "max_new_tokens")
QUEUE_LENGTH = 200  # waiting comparisons; a class of a hundred fits twice


def parse_flags() -> argparse.Namespace:
    """Recipe, model and adapter; where to listen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser, only=SETTINGS)
    parser.add_argument(
        "--server", help="address of an OpenAI-compatible server (http://127.0.0.1:8000/v1) that answers in the place of the model in this process; --model then only names the tokenizer of the tabs"
    )
    parser.add_argument("--base-model", help="with --server: the base model's name there")
    parser.add_argument("--tuned-model", help="with --server: the fine-tuned model's name there")
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), help="address to listen on; 0.0.0.0 opens the page to the network (127.0.0.1)")
    parser.add_argument("--port", type=int, default=os.environ.get("GRADIO_SERVER_PORT", "7860"), help="port to listen on (7860)")
    parser.add_argument("--share", action="store_true", help="also open a public gradio.live address")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser.parse_args()


def import_spaces() -> Callable | None:
    """On a ZeroGPU Space its decorator for what needs a GPU, elsewhere None. `spaces` wants to be imported before anything touches CUDA."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return None
    try:
        import spaces
    except ImportError as error:
        raise UserError("SPACES_ZERO_GPU is set, but the package spaces is not installed; install it with: pip install spaces") from error
    return spaces.GPU


def load_engine(chosen: Recipe, *, gpu: Callable | None):
    """The recipe's base and adapter, answering in this process or, with ZeroGPU's decorator, in one that has a GPU."""
    from newsft import models
    from newsft.engine import Engine

    loaded = models.add_adapter(models.load_base(chosen.model, quantize=chosen.quantize, attention=chosen.attention), chosen.adapter)
    print(loaded.describe())
    if gpu is None:
        return Engine(loaded, max_new_tokens=chosen.max_new_tokens)
    from newsft.zero import ZeroBatcher

    return Engine(loaded, max_new_tokens=chosen.max_new_tokens, batcher=partial(ZeroBatcher, gpu=gpu))


def build(arguments: argparse.Namespace):
    """Load the models, or reach the server that has them, and build the page; nothing is launched."""
    chosen = recipe.from_flags(arguments)
    served = {"base": arguments.base_model, "tuned": arguments.tuned_model}
    if arguments.server and not all(served.values()):
        raise UserError("--server needs --base-model and --tuned-model: the names of both models there.")
    if not arguments.server and any(served.values()):
        raise UserError("--base-model and --tuned-model name models of a server; give its address with --server.")
    gpu = import_spaces()
    from newsft import data  # seconds of imports: --help and a wrong flag answer at once
    from newsft.ui.page import build_page

    try:
        rows = data.load_rows(chosen.data)
    except UserError as error:  # the hub out of reach: the lesson's tabs can show the embedded rows instead
        print(f"note: {error} The page shows the embedded rows.", file=sys.stderr)
        rows = data.load_rows(recipe.RECIPES["mini"].data)
    if arguments.server:
        from newsft.remote import connect

        answering, names = connect(arguments.server, served, chosen), tuple(served.values())
    else:
        answering, names = load_engine(chosen, gpu=gpu), (Path(chosen.model).name, Path(chosen.adapter).name)
    run = answering.loaded.run
    system_prompt = run["system_prompt"] if run else rows[0]["system_prompt"]
    return build_page(answering, system_prompt=system_prompt, names=names, split=data.split_rows(rows, test_ratio=chosen.test_ratio), evaluation=Path(chosen.evaluation))


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
