"""Fine-tune the recipe's base model with LoRA and save the adapter.

python train.py                     the miniature, on any CPU, in minutes
python train.py --recipe varco      the lesson's run on the real model and data, on a GPU
torchrun --nproc_per_node 2 train.py --recipe varco     the same on two GPUs: twice the rows per step, half the steps
"""

import argparse
import sys
import time
from contextlib import nullcontext
from pathlib import Path

from newsft import processes, recipe
from newsft.errors import UserError


def parse_flags() -> argparse.Namespace:
    """The recipe's settings as flags, and --resume."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    recipe.add_flags(parser)
    parser.add_argument("--resume", action="store_true", help="go on from the newest whole checkpoint in the output folder")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> None:
    """Load, encode, check, train, save."""
    chosen = recipe.from_flags(arguments)
    tell = print if processes.is_main() else lambda *_: None
    tell(f"recipe {chosen.name}: {recipe.short_path(chosen.model)} on {recipe.short_path(chosen.data)}")
    from newsft import data, models, training  # seconds of imports: --help and a wrong flag answer at once
    from newsft.output import choose_checkpoint, claimed
    from newsft.progress import Progress

    split = data.split_rows(data.load_rows(chosen.data), test_ratio=chosen.test_ratio)
    folder = Path(chosen.output)
    with claimed(folder, resume=arguments.resume) if processes.is_main() else nullcontext():
        checkpoint = choose_checkpoint(folder, resume=arguments.resume)
        loaded = models.load_base(chosen.model, quantize=chosen.quantize, attention=chosen.attention)
        tell(loaded.describe())
        encoded = training.encode_rows(loaded, split.train, chosen)
        report = training.preflight(loaded, split.train, encoded, chosen)
        tell(report.report())
        if report.failures:
            raise UserError("The pre-flight check failed; nothing was trained. Correct the rows or the chat template named above.")
        validation = training.encode_rows(loaded, split.test[: chosen.eval_rows], chosen)
        trainer = training.build_trainer(loaded, encoded, chosen, folder, validation=validation, callbacks=[Progress()] if processes.is_main() else [])
        tell("adapter: {:,} of {:,} parameters are trained, multiplied as {}".format(*trainer.model.get_nb_trainable_parameters(), training.choose_precision(loaded, chosen)))
        begun = time.monotonic()
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        seconds = time.monotonic() - begun
        if validation and "eval_loss" not in trainer.state.log_history[-1]:
            trainer.evaluate()  # the end of the curve
        weights = training.gather_weights(trainer)
        if processes.is_main():
            training.save_run(trainer, loaded, split, chosen, folder, seconds=seconds, weights=weights)
    tell(f"adapter saved in {folder} after {seconds:.0f} s; see it with: python app.py --adapter {folder}")


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
