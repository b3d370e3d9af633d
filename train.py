"""Fine-tune the recipe's base model with LoRA and save the adapter.

python train.py                     the miniature, on any CPU, in minutes
python train.py --recipe varco      the lesson's run on the real model and data, on a GPU
torchrun --nproc_per_node 2 train.py --recipe varco     the same on two GPUs: twice the rows per step, half the steps
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from newsft import recipe
from newsft.errors import UserError, command, list_rows
from newsft.models import distributed
from newsft.training.tracking import TRACKERS, check_tracker

if TYPE_CHECKING:
    from newsft.training.run import Mistake
    from newsft.training.watch import Watch


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
    parser.add_argument(
        "--report-to",
        choices=TRACKERS,
        help="also plot the run in this program while it goes (pip install tensorboard, or trackio); what it keeps stays on this machine",
    )
    parser.add_argument(
        "--fault",
        nargs="+",
        metavar="NAME",
        default=[],
        help="train on purpose with mistakes of the break-it lab, to see what they do: unmasked, no_end, header_spaces and others (a wrong name lists them all)",
    )
    parser.add_argument(
        "--watched",
        metavar="FILE",
        type=Path,
        help="for a program that watches the run, as the page does: progress goes to FILE as lines of JSON, a line `stop` on standard input ends the run at the next step with a checkpoint, and the end of standard input ends it at once",
    )
    return parser.parse_args()


def choose_mistake(names: list[str], *, pushed: bool) -> "Mistake | None":
    """The mistake that --fault names; UserError for an unknown one, and where its adapter would be published."""
    if not names:
        return None
    from newsft.lessons import faults  # wrong rows are made nowhere but in the lesson
    from newsft.training.run import Mistake

    if unknown := [name for name in names if name not in faults.TRAINABLE]:
        raise UserError(f"There is no fault {', '.join(unknown)}; --fault takes {', '.join(faults.TRAINABLE)}.")
    if pushed:
        raise UserError(
            "An adapter that was trained wrong on purpose is not published; leave out --push-to-hub or --fault."
        )
    chosen = tuple(name for name in faults.TRAINABLE if name in names)
    return Mistake(chosen, partial(faults.break_training_row, names=chosen))


@command(stopped="stopped; the last checkpoint is kept, the same command with --resume goes on from it")
def main() -> None:
    """Train, then publish where that was asked for."""
    arguments = parse_flags()
    if not arguments.watched:
        return train(arguments)
    from newsft.training.watch import Watch

    watch = Watch(arguments.watched)
    watch.follow_orders()
    with watch.reporting():
        train(arguments, watch)


def train(arguments: argparse.Namespace, watch: "Watch | None" = None) -> None:
    """One run from the flags to the adapter, or to the hub."""
    chosen, name = recipe.from_flags(arguments), arguments.push_to_hub
    mistake = choose_mistake(arguments.fault, pushed=bool(name))
    check_tracker(arguments.report_to)
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
        tracker=arguments.report_to,
        mistake=mistake,
        watch=watch,
        tell=tell,
    )
    if name and distributed.is_main():
        print(f"pushed to {hub.push(folder, name)}")


if __name__ == "__main__":
    sys.exit(main())
