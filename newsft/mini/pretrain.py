"""Train the miniature base model on an endless stream of documents about the written articles.

python -m newsft.mini.pretrain        resumes from work/pretrain where it was interrupted; writes assets/mini/
"""

import argparse
import json
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerBase

from newsft.mini.card import write_card
from newsft.mini.corpus import split_articles
from newsft.mini.events import read_events
from newsft.mini.model import add_dropout, build_model, grow_model, widen_vocabulary, write_model
from newsft.mini.optimizers import build_optimizers
from newsft.mini.own_words import plain_tokens, read_own_words
from newsft.mini.repeats import REPEATED, repeat_loss
from newsft.mini.schedule import PHASES, Phase
from newsft.mini.stream import LENGTHS, SEED, Batch, Stream
from newsft.mini.tokenizer import ASSET
from newsft.mini.written import read_written

WORK = Path("work/pretrain")
WARM_UP_STEPS = 60
COOL_DOWN = 0.2  # share of the steps over which the learning rate falls to zero


def head_loss(hidden: torch.Tensor, head: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted mean of the next-token losses, from the last hidden states [documents, length, width] and the head's matrix."""
    logits = torch.nn.functional.linear(hidden[:, :-1], head).flatten(0, 1).float()
    losses = torch.nn.functional.cross_entropy(logits, ids[:, 1:].flatten(), reduction="none")
    weights = weights[:, 1:].flatten()
    return (losses * weights).sum() / weights.sum()


class Run:
    """The model in training, all that its next step depends on, and the figures for the log."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, arguments: argparse.Namespace, *, device: str):
        torch.manual_seed(arguments.seed)
        self.tokenizer, self.arguments, self.device = tokenizer, arguments, device
        self.bf16 = torch.cuda.is_bf16_supported() if device == "cuda" else torch.cpu._is_avx512_bf16_supported()
        self.step = self.tokens = self.chunk = self.place = 0
        self.plain = plain_tokens(tokenizer).to(device)
        model = build_model(tokenizer, layers=arguments.layers, width=arguments.width)
        if arguments.begin:
            model = widen_vocabulary(LlamaForCausalLM.from_pretrained(arguments.begin), tokenizer)
            if arguments.layers > model.config.num_hidden_layers:
                model = grow_model(model, tokenizer, layers=arguments.layers)
        self.model = model.to(device).train()
        if arguments.dropout:
            add_dropout(self.model, arguments.dropout)
        # A step's length hangs on the rate alone with Muon, so what single batches say wrong stays in the weights; their running mean is rid of it.
        self.mean = (
            AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(arguments.average))
            if arguments.average
            else None
        )
        self.optimizers = build_optimizers(self.model, bf16=self.bf16)
        self.head_loss = torch.compile(head_loss, dynamic=False) if arguments.compile else head_loss
        if (
            arguments.compile
        ):  # layer by layer: compiled once per shape, in a fraction of the time that the whole model takes
            torch._dynamo.config.recompile_limit = 4 * len(LENGTHS)
            for layer in self.model.model.layers:
                layer.compile(dynamic=False)
        self.generator = torch.Generator()
        self.begun = time.monotonic()

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step, self.tokens, self.chunk, self.place = (state[name] for name in ("step", "tokens", "chunk", "place"))
        self.model.load_state_dict(state["model"])
        if self.mean and state.get("mean"):  # a stretch before it may have kept none
            self.mean.load_state_dict(state["mean"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def save(self, path: Path) -> None:
        """Write a checkpoint; the old one stays until the new one is whole."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        state = {
            "model": self.model.state_dict(),
            "mean": self.mean.state_dict() if self.mean else None,
            "optimizers": optimizers,
            "step": self.step,
            "tokens": self.tokens,
            "chunk": self.chunk,
            "place": self.place,
        }
        temporary = path.with_suffix(".tmp")
        torch.save(state, temporary)
        temporary.replace(path)

    def advance(self, batch: Batch) -> torch.Tensor:
        """One optimizer step; its loss, which a GPU may still be computing."""
        self.tokens += int((batch.ids != self.tokenizer.pad_token_id).sum())
        ids, weights, told, repeats = (values.to(self.device) for values in batch)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
            read = ids
            self.generator.manual_seed(self.arguments.seed + self.step)
            if torch.rand((), generator=self.generator) < self.arguments.own:
                read = read_own_words(self.model, ids, told=told, plain=self.plain, most=0.4, generator=self.generator)
            # Padding stands on the right, where causal attention never sees it: no mask is needed.
            hidden, head = (
                self.model.model(input_ids=read, use_cache=False).last_hidden_state,
                self.model.lm_head.weight,
            )
            loss = self.head_loss(hidden, head, ids, weights)
            again = repeat_loss(hidden, head, read, ids, repeats) * (REPEATED / weights[:, 1:].sum())
        (loss + again).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        rate = self._rate()
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("peak", group["lr"]) * rate
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        if self.mean:
            self.mean.update_parameters(self.model)
        return loss.detach()

    def result(self) -> LlamaForCausalLM:
        """The trained model: the running mean of its weights where one is kept."""
        return self.mean.module if self.mean else self.model

    def progress(self) -> float:
        """How much of this stretch is done, from 0 to 1: of its steps or, where a time is given, of its time, whichever is further."""
        first, steps, minutes = self.arguments.first, self.arguments.steps, self.arguments.minutes
        done = (self.step - first) / (steps - first)
        return max(done, (time.monotonic() - self.begun) / (60 * minutes)) if minutes else done

    def _rate(self) -> float:
        fall = self.arguments.cool_down
        left = (1 - self.progress()) / fall if fall else 1.0
        return max(0.0, min(1.0, (self.step - self.arguments.first + 1) / WARM_UP_STEPS, left)) * self.arguments.rate


def _report(run: Run, losses: list[torch.Tensor], work: Path, *, speed: float) -> None:
    """The mean of these steps' losses and the tokens per second, to standard output and to the log."""
    record = {
        "time": time.strftime("%H:%M:%S"),
        "step": run.step,
        "loss": round(torch.stack(losses).mean().item(), 4),
        "tokens": run.tokens,
        "speed": round(speed),
    }
    print(record, flush=True)
    with (work / "log.jsonl").open("a") as log:
        log.write(json.dumps(record) + "\n")


def _outlive(worker: int) -> None:
    """A signal meant for all of the run's processes must leave the worker alive until the step in hand is kept."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def train(tokenizer: PreTrainedTokenizerBase, arguments: argparse.Namespace) -> LlamaForCausalLM:
    """Run or resume the training; progress goes to standard output and, as JSON lines, to log.jsonl in the work folder."""
    run = Run(tokenizer, arguments, device="cuda" if torch.cuda.is_available() else "cpu")
    arguments.work.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.work / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
        print(f"resumed at step {run.step}")
    arguments.first = run.step if arguments.first is None else arguments.first
    stream = Stream(
        tokenizer,
        split_articles(read_written(arguments.articles))["base"],
        read_events(arguments.events),
        PHASES[arguments.phase],
        batch_tokens=arguments.batch_tokens,
        seed=arguments.seed,
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())  # the step in hand is ended and kept
    begun = saved = run.begun = time.monotonic()
    tokens_before, losses = run.tokens, []
    for batches in DataLoader(
        stream,
        batch_size=None,
        sampler=range(run.chunk, len(stream)),
        num_workers=arguments.workers,
        prefetch_factor=2,
        worker_init_fn=_outlive,
    ):
        for batch in batches[run.place :]:
            losses.append(run.advance(batch))
            run.place += 1
            last = run.step == arguments.stop or run.progress() >= 1 or ended.is_set()
            if run.step % 20 == 0 or last:
                _report(run, losses, arguments.work, speed=(run.tokens - tokens_before) / (time.monotonic() - begun))
                losses = []
            if last or time.monotonic() - saved > 60 * arguments.save_minutes:
                run.save(checkpoint)
                saved = time.monotonic()
            if last:
                return run.result()
        run.chunk, run.place = run.chunk + 1, 0
    raise AssertionError("the stream has no end")


def _add_size_flags(parser: argparse.ArgumentParser) -> None:
    """Of the model, of a step, and of the machine."""
    parser.add_argument(
        "--dropout", type=float, default=0.0, help="of what attention and MLP add to the stream, in training"
    )
    parser.add_argument(
        "--average",
        type=float,
        default=0.0,
        help="what the running mean of the weights keeps of itself at a step (0.998 looks back some 500 steps); 0: the last weights are written",
    )
    parser.add_argument("--batch-tokens", type=int, help="tokens of a step, padding included (8192; on a GPU more)")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw documents (on a GPU several)")
    parser.add_argument("--seed", type=int, default=SEED, help="of weights, documents and dropout")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--save-minutes", type=float, default=10, help="minutes between two checkpoints")
    parser.add_argument(
        "--no-compile", dest="compile", action="store_false", help="without torch.compile (no C++ compiler at hand)"
    )


def parse_flags(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command's flags."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ASSET, help="folder that gets the model and its tokenizer")
    parser.add_argument("--tokenizer", type=Path, default=ASSET, help="folder that holds the tokenizer")
    parser.add_argument("--articles", type=Path, help="folder of the written articles")
    parser.add_argument("--events", type=Path, help="folder of the lines of news")
    parser.add_argument("--begin", type=Path, help="a model to go on from, with a new optimizer state")
    parser.add_argument("--phase", choices=PHASES, default="mixed", help="what is asked in this stretch (schedule.py)")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for the checkpoint and the log")
    parser.add_argument(
        "--steps",
        type=int,
        default=12_000,
        help="optimizer steps of the whole stretch, over which the rate is reckoned",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        help="end after so many minutes where that comes before the last step; the learning rate falls in time",
    )
    parser.add_argument("--stop", type=int, help="stop before the stretch's end, after so many steps")
    parser.add_argument(
        "--first",
        type=int,
        help="the step from which this stretch's learning rate is reckoned (default: where it begins)",
    )
    parser.add_argument("--rate", type=float, default=1.0, help="of the peak learning rate")
    parser.add_argument(
        "--cool-down",
        type=float,
        default=COOL_DOWN,
        help="share of the steps over which the learning rate falls to zero",
    )
    parser.add_argument(
        "--own",
        type=float,
        default=Phase.own,
        help="share of the steps in which some words of answers are read as the model writes them",
    )
    _add_size_flags(parser)
    return parser.parse_args(given)


def main() -> None:
    """Train, then write the model beside its tokenizer."""
    arguments = parse_flags()
    tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
    model = train(tokenizer, arguments).eval()
    write_model(arguments.output, model, tokenizer)
    record = json.loads((arguments.work / "log.jsonl").read_text().splitlines()[-1])
    write_card(arguments.output, model, record, articles=arguments.articles, events=arguments.events)
    print(f"{model.num_parameters() / 1e6:.1f} M parameters -> {arguments.output}")


if __name__ == "__main__":
    main()
