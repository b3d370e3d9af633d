"""Fine-tune the recipe's base model with LoRA and save the adapter.

python train.py                     the miniature, on any CPU, in minutes
python train.py --recipe varco      the lesson's run on the real model and data, on a GPU
torchrun --nproc_per_node 2 train.py --recipe varco     the same on two GPUs: twice the rows per step, half the steps
"""

import argparse
import sys

from newsft import recipe
from newsft.errors import command, list_rows
from newsft.models import distributed


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as flags, and --resume."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser)
    parser.add_argument(
        "--push-to-hub",
        metavar="NAME",
        help="upload the adapter with its card to this repository on the hub (owner/name), with the login of `hf auth login` or HF_TOKEN",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on from the newest whole checkpoint in the output folder"
    )
    return parser.parse_args()


@command(stopped="stopped; the last checkpoint is kept, the same command with --resume goes on from it")
def main() -> None:
    """Train, then publish where that was asked for."""
    arguments = parse_flags()
    chosen, name = recipe.from_flags(arguments), arguments.push_to_hub
    tell = print if distributed.is_main() else lambda _: None
    from newsft.data.rows import Split  # seconds of imports: --help and a wrong flag answer at once
    from newsft.evaluation.article import find_long
    from newsft.models.hub import find_files
    from newsft.models.load import Loaded
    from newsft.publish import hub
    from newsft.publish.card import write_card
    from newsft.publish.licences import read_licence
    from newsft.training.run import run

    def check(loaded: Loaded, split: Split) -> None:
        if name:
            hub.check_name(name, read_licence(chosen.model, find_files(chosen.model)))
        if long := find_long(
            loaded.chat, split.test, room=loaded.model.config.max_position_embeddings - chosen.max_new_tokens
        ):
            tell(
                f"note: {len(long)} row(s) of the test half are longer than the model takes besides its answer; the evaluation leaves out the middle of their news (rows {list_rows(long)})"
            )

    folder = run(
        chosen,
        check=check,
        write_card=lambda written: write_card(written, chosen.model),  # in the place of PEFT's empty form
        resume=arguments.resume,
        hub_name=name,
        tell=tell,
    )
    if name and distributed.is_main():
        print(f"pushed to {hub.push(folder, name)}")


if __name__ == "__main__":
    sys.exit(main())
