"""Fine-tune the recipe's base model with LoRA and save the adapter.

python train.py                     the miniature, on any CPU, in minutes
python train.py --recipe varco      the lesson's run on the real model and data, on a GPU
torchrun --nproc_per_node 2 train.py --recipe varco     the same on two GPUs: twice the rows per step, half the steps
"""

import argparse
import sys

from newsft import recipe
from newsft.errors import command
from newsft.models import distributed


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as flags, and --resume."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser)
    parser.add_argument("--push-to-hub", metavar="NAME", help="upload the adapter with its card to this repository on the hub (owner/name), with the login of `hf auth login` or HF_TOKEN")
    parser.add_argument("--resume", action="store_true", help="go on from the newest whole checkpoint in the output folder")
    return parser.parse_args()


@command(stopped="stopped; the last checkpoint is kept, the same command with --resume goes on from it")
def main() -> None:
    """Train, then publish where that was asked for."""
    arguments = parse_flags()
    chosen, name = recipe.from_flags(arguments), arguments.push_to_hub
    from newsft.models.hub import find_files  # seconds of imports: --help and a wrong flag answer at once
    from newsft.publish import hub
    from newsft.publish.card import write_card
    from newsft.publish.licences import read_licence
    from newsft.training.run import run

    def check_base() -> None:
        if name:
            hub.check_name(name, read_licence(chosen.model, find_files(chosen.model)))

    folder = run(
        chosen,
        check_base=check_base,
        write_card=lambda written: write_card(written, chosen.model),  # in the place of PEFT's empty form
        resume=arguments.resume,
        hub_name=name,
        tell=print if distributed.is_main() else lambda _: None,
    )
    if name and distributed.is_main():
        print(f"pushed to {hub.push(folder, name)}")


if __name__ == "__main__":
    sys.exit(main())
