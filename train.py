"""Fine-tune the recipe's base model with LoRA and save the adapter.

python train.py                     the miniature, on any CPU, in minutes
python train.py --recipe varco      the lesson's run on the real model and data, on a GPU
torchrun --nproc_per_node 2 train.py --recipe varco     the same on two GPUs: twice the rows per step, half the steps
"""

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from newsft import recipe
from newsft.errors import UserError, list_rows
from newsft.models import distributed
from newsft.paths import short_path


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as flags, and --resume."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser)
    parser.add_argument("--push-to-hub", metavar="NAME", help="upload the adapter with its card to this repository on the hub (owner/name), with the login of `hf auth login` or HF_TOKEN")
    parser.add_argument("--resume", action="store_true", help="go on from the newest whole checkpoint in the output folder")
    return parser.parse_args()


def read_rows(chosen: recipe.Recipe, tell: Callable[[str], None]):
    """The recipe's data, with what is odd about it told before anything is trained."""
    from newsft.data.review import review
    from newsft.data.rows import load_rows, split_rows

    split = split_rows(load_rows(chosen.data, tell=lambda text: tell(f"note: {text}")), test_ratio=chosen.test_ratio)
    first, count = len(split.test), len(split.rows)
    tell(f"rows: {count}, none dropped; 0 to {first - 1} are the test half, {first} to {count - 1} the training half")
    for oddity in review(split):
        tell(f"note: {oddity}")
    return split


def run(arguments: argparse.Namespace) -> None:
    """Load, encode, check, train, save."""
    chosen = recipe.from_flags(arguments)
    tell = print if distributed.is_main() else lambda *_: None
    tell(f"recipe {chosen.name}: {short_path(chosen.model)} on {short_path(chosen.data)}")
    from newsft.evaluation.article import find_long  # seconds of imports: --help and a wrong flag answer at once
    from newsft.models.hub import find_files
    from newsft.models.load import load_base
    from newsft.publish import hub
    from newsft.publish.card import write_card
    from newsft.publish.licences import read_licence
    from newsft.training import checkpoints
    from newsft.training.output import claimed
    from newsft.training.preflight import encode_rows, preflight
    from newsft.training.progress import Progress
    from newsft.training.record import describe_run, gather_weights, save_run
    from newsft.training.sft import build_trainer, choose_precision

    split = read_rows(chosen, tell)
    folder, first = Path(chosen.output), len(split.test)
    with claimed(folder, resume=arguments.resume) if distributed.is_main() else nullcontext():
        checkpoint = checkpoints.choose_checkpoint(folder, resume=arguments.resume, tell=tell)
        loaded = load_base(chosen.model, quantize=chosen.quantize, attention=chosen.attention)
        tell(loaded.describe())
        if arguments.push_to_hub:
            hub.check_name(arguments.push_to_hub, read_licence(chosen.model, find_files(chosen.model)))
        about = describe_run(loaded, split, chosen)
        for difference in checkpoints.check_same_run(checkpoint, about) if checkpoint else []:
            tell(f"note: {difference}")
        encoded = encode_rows(loaded, split.train, chosen, first=first)
        report = preflight(loaded, split.train, encoded, chosen, first=first)
        tell(report.report())
        if long := find_long(loaded.tokenizer, split.test, room=loaded.model.config.max_position_embeddings - chosen.max_new_tokens):
            tell(f"note: {len(long)} row(s) of the test half are longer than the model takes besides its answer; the evaluation leaves out the middle of their news (rows {list_rows(long)})")
        if report.failures:
            raise UserError("The pre-flight check failed; nothing was trained. Correct the rows or the chat template named above.")
        validation = encode_rows(loaded, split.test[: chosen.eval_rows], chosen)
        trainer = build_trainer(loaded, encoded, chosen, folder, validation=validation, callbacks=[Progress()] if distributed.is_main() else [])
        trainer.about = about
        tell("adapter: {:,} of {:,} parameters are trained, multiplied as {}".format(*trainer.model.get_nb_trainable_parameters(), choose_precision(loaded, chosen)))
        begun = time.monotonic()
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.monotonic() - begun
        weights = gather_weights(trainer)
        if distributed.is_main():
            with checkpoints.staged_adapter(folder) as staged:
                save_run(trainer, loaded, split, chosen, staged, seconds=seconds, hub_name=arguments.push_to_hub, weights=weights)
            write_card(folder, chosen.model)  # in the place of PEFT's empty form
    tell(f"adapter saved in {folder} after {seconds:.0f} s; see it with: python app.py --adapter {shlex.quote(str(folder))}")
    if arguments.push_to_hub and distributed.is_main():
        tell(f"pushed to {hub.push(folder, arguments.push_to_hub)}")


def main() -> int:
    """Exit code 0, 2 for what the user can put right, 130 for Ctrl-C."""
    try:
        run(parse_flags())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the last checkpoint is kept, the same command with --resume goes on from it", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
