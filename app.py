"""The page: paste Korean financial news and compare the base model's and the fine-tuned model's answers.

python app.py                       the miniature, on any CPU
python app.py --recipe varco        VARCO 8B with the adapter that train.py made
python app.py --server URL --base-model NAME --tuned-model NAME     two models that another server holds
python app.py --adapter A B C       several adapters on one copy of the base, for the reader to choose among
python app.py --check               what to paste into an issue: versions, hardware, fingerprints, one comparison
"""

import argparse
import gc
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from newsft import recipe
from newsft.errors import UserError, command
from newsft.inference import malloc
from newsft.recipe import Recipe

if TYPE_CHECKING:  # seconds of imports: --help and a wrong flag answer at once
    from newsft.data.rows import Split
    from newsft.inference.types import Engine
    from newsft.runs.runs import Runs

LOCAL = ("127.0.0.1", "localhost", "::1")  # addresses that nobody else can reach
SETTINGS = ("model", "quantize", "attention", "data", "test_ratio", "evaluation", "max_new_tokens")


def parse_flags() -> argparse.Namespace:
    """Recipe, model and adapter; where to listen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser, only=SETTINGS)
    parser.add_argument(
        "--adapter",
        nargs="+",
        metavar="DIR",
        help="adapters of the same base, hub ids or local folders; the reader chooses among them, and the first is what the other tabs show (the recipe's; without --recipe also NEWSFT_ADAPTER)",
    )
    parser.add_argument(
        "--server",
        help="address of an OpenAI-compatible server (http://127.0.0.1:8000/v1) that answers in the place of the model in this process; --model then only names the tokenizer of the tabs",
    )
    parser.add_argument("--base-model", help="with --server: the base model's name there")
    parser.add_argument("--tuned-model", help="with --server: the fine-tuned model's name there")
    parser.add_argument(
        "--host",
        default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        help="address to listen on; 0.0.0.0 opens the page to the network (127.0.0.1)",
    )
    parser.add_argument(
        "--port", type=int, default=os.environ.get("GRADIO_SERVER_PORT", "7860"), help="port to listen on (7860)"
    )
    frames = os.environ.get("NEWSFT_FRAME_ANCESTORS", "").split()
    parser.add_argument(
        "--frame-ancestors",
        nargs="+",
        metavar="SITE",
        default=frames,
        help="further sites that may show the page in a frame, such as https://lms.example.org (those in NEWSFT_FRAME_ANCESTORS)",
    )
    parser.add_argument(
        "--train",
        choices=("auto", "on", "off"),
        default="auto",
        help="whether readers may train adapters of their own on this machine; auto: only where the page is open to this computer alone, not on a Space, with --share or another --host",
    )
    parser.add_argument(
        "--no-sharing",
        action="store_true",
        help="compute every comparison anew, also one with a prompt that is being answered or was among the last",
    )
    parser.add_argument("--share", action="store_true", help="also open a public gradio.live address")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    parser.add_argument(
        "--check",
        action="store_true",
        help="print versions, hardware, fingerprints, free memory and cache places, run one comparison, and end",
    )
    return parser.parse_args()


def import_spaces() -> Callable | None:
    """On a ZeroGPU Space its decorator for what needs a GPU, elsewhere None. `spaces` wants to be imported before anything touches CUDA."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return None
    try:
        import spaces
    except ImportError as error:
        raise UserError(
            "SPACES_ZERO_GPU is set, but the package spaces is not installed; install it with: pip install spaces"
        ) from error
    return spaces.GPU


@dataclass(frozen=True)
class Setup:
    """What the page is built from: the recipe, an engine, what base and tuned model are called, and the data."""

    recipe: Recipe
    engine: "Engine"
    names: tuple[str, str]
    split: "Split"


def choose_recipe(arguments: argparse.Namespace) -> tuple[Recipe, list[str]]:
    """The recipe with the first adapter, and the adapters beside it."""
    first, *more = arguments.adapter or [None]
    return recipe.from_flags(argparse.Namespace(**vars(arguments) | {"adapter": first})), more


def load_local(chosen: Recipe, more: list[str], examples: list[str], gpu: Callable | None, *, shares: bool) -> "Engine":
    """The engine that answers in this process or, with ZeroGPU's decorator and a large model, in one that has a GPU."""
    if gpu is None:
        from newsft.inference.engine import load_engine

        return load_engine(chosen, more=more, examples=examples, shares=shares)
    import gradio

    from newsft.inference.zerogpu import load_zero_engine

    return load_zero_engine(chosen, more=more, examples=examples, gpu=gpu, refusal=gradio.Error, shares=shares)


def load(arguments: argparse.Namespace) -> Setup:
    """Read the data, and load the models or find the server that has them."""
    chosen, more = choose_recipe(arguments)
    served = {"base": arguments.base_model, "tuned": arguments.tuned_model}
    if arguments.server and not all(served.values()):
        raise UserError("--server needs --base-model and --tuned-model: the names of both models there.")
    if not arguments.server and any(served.values()):
        raise UserError("--base-model and --tuned-model name models of a server; give its address with --server.")
    if arguments.server and more:
        raise UserError(
            "With --server the server has the adapters; give one --adapter, whose system prompt is used, or none."
        )
    gpu = import_spaces()
    from newsft.data.files import is_local
    from newsft.data.rows import load_rows, split_rows

    try:
        rows = load_rows(chosen.data, tell=lambda text: print(f"note: {text}", file=sys.stderr))
    except UserError as error:
        if is_local(chosen.data):
            raise
        # The hub is out of reach: the lesson's tabs can show the embedded rows instead.
        print(f"note: {error} The page shows the embedded rows.", file=sys.stderr)
        rows = load_rows(recipe.RECIPES["mini"].data)
    split = split_rows(rows, test_ratio=chosen.test_ratio)
    if arguments.server:
        from newsft.inference.server import connect

        return Setup(chosen, connect(arguments.server, served, chosen), tuple(served.values()), split)
    engine = load_local(chosen, more, split.examples, gpu, shares=not arguments.no_sharing)
    return Setup(chosen, engine, (Path(chosen.model).name, ", ".join(info.name for info in engine.adapters)), split)


def choose_runs(arguments: argparse.Namespace, setup: Setup) -> "Runs | str":
    """The trainings that readers start, or the key of the page's text that says why there are none. UserError where --train on cannot be had."""
    if arguments.train == "off":
        return "train_off_flag"
    hindrance = "train_off_served" if arguments.server else None
    if not arguments.server and not setup.engine.capabilities.changeable:
        hindrance = "train_off_engine"
    if hindrance:
        if arguments.train == "on":
            raise UserError("--train on needs a model in this process, on this machine's own CPU or GPU; leave it out.")
        return hindrance
    alone = arguments.host in LOCAL and not arguments.share and not os.environ.get("SPACE_ID")
    if arguments.train == "auto" and not alone:
        return "train_off_public"
    from newsft.runs.runs import Runs

    return Runs(setup.recipe)


def serve(arguments: argparse.Namespace, setup: Setup) -> None:
    """Build the page and serve it until interrupted."""
    from newsft.page.page import build_page, launch_settings
    from newsft.page.sessions import QUEUE_LENGTH

    runs = choose_runs(arguments, setup)
    settings = launch_settings(frames=arguments.frame_ancestors, uploads=not isinstance(runs, str))
    print(setup.engine.models.description)
    run = setup.engine.models.run
    system_prompt = run["system_prompt"] if run else setup.split.rows[0]["system_prompt"]
    page = build_page(
        setup.engine,
        system_prompt=system_prompt,
        names=setup.names,
        split=setup.split,
        recipe=setup.recipe,
        runs=runs,
    )
    gc.freeze()  # it stays for good: to search its half a million objects for rubbish stops every answer for a quarter of a second
    gc.enable()
    try:
        page.queue(api_open=False, max_size=QUEUE_LENGTH).launch(
            server_name=arguments.host,
            server_port=arguments.port,
            share=arguments.share,
            inbrowser=arguments.open,
            **settings,
        )
    except OSError as error:
        raise UserError(
            f"port {arguments.port} on {arguments.host} cannot be used ({error}); give another with --port."
        ) from error


@command()
def main() -> int:
    """Serve, or check; exit code 1 for a check that failed."""
    arguments = parse_flags()
    malloc.return_memory()
    gc.disable()  # until the page stands, as imports leave hardly any rubbish; a tenth of the time until then
    setup = load(arguments)
    if arguments.check:
        from newsft.page.diagnosis import print_diagnosis

        return 0 if print_diagnosis(setup.engine, setup.split) else 1
    serve(arguments, setup)
    return 0


if __name__ == "__main__":
    sys.exit(main())
