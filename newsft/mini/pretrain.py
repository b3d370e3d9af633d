"""Train the miniature base model on an endless stream of the generator's conversations.

python -m newsft.mini.pretrain        resumes from work/pretrain where it was interrupted; writes assets/mini/
"""

import argparse
import ast
import json
import math
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch.optim import _muon
from torch.utils.data import DataLoader, Dataset
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerBase

from newsft import chat
from newsft.chat import IGNORED, Encoded
from newsft.mini import articles, tasks
from newsft.mini.model import build_model
from newsft.mini.tokenizer import ASSET

WORK = Path("work/pretrain")
CARD = Path(__file__).with_name("model_card.md")
SEED = 11
LENGTH_STEP = 64  # padded lengths are multiples of this, so that few shapes occur
MOST_KEYS = 5  # in one dict; the full answer has eight
DECISIONS = re.compile(r"""(?<=['"]:) \S|긍정적|부정적|중립적|없습니다""")


@dataclass(frozen=True)
class Phase:
    """A part of the training, up to step `until`: its conversations, what their tokens weigh in the loss, its learning rate."""

    until: float
    draw: Callable[[random.Random], list[tasks.Message]]
    read: float  # the articles' own tokens: enough to learn to continue, names are noise
    told: float  # what an answer says
    decided: float  # what an answer decides: whether a list is empty, a direction; a few tokens among a hundred
    rate: float = 1.0  # of the peak learning rate


def _draw_mixed(rng: random.Random, *, decisions: float, short: float = 1.0, most_keys: int = 3, longest: int = 200, **asked: float) -> list[tasks.Message]:
    if rng.random() < decisions:
        return tasks.draw_decision(rng, longest=longest, **asked)
    return tasks.draw_conversation(rng, short=rng.random() < short, most_keys=most_keys)


# The order was found by measuring; each part rests on the one before.
# 1. Language first: arriving later, it destroys every decision that was learned before it.
# 2. Direction nearly alone, with just enough of the rest not to forget it. Among all tasks it stayed a guess after 17 M tokens,
#    whatever it weighed: the gradient of words that cannot be foreseen drowns it.
# 3. The negative list, empty or not as the direction says. Asked for either list, the answer is an exclusive-or of direction and
#    question, which has no first-order signal: 240 steps of both did not find it. With the negative list known, both take 180.
# 4. Both lists, then all tasks, at a lower rate. Muon's steps are of one size whatever the gradient's, and the large ones of the
#    start wear the lists away: at the full rate 60 steps of all tasks were enough.
# Short articles ask as much at a third of the cost.
PHASES = (
    Phase(320, partial(_draw_mixed, decisions=0.15, lists=0.2, positive=0.5), read=0.25, told=1, decided=5),
    Phase(540, partial(_draw_mixed, decisions=0.75, lists=0.2, positive=0.0), read=0.02, told=0.1, decided=10),
    Phase(620, partial(_draw_mixed, decisions=0.75, lists=0.65, positive=0.0), read=0.02, told=0.1, decided=10),
    Phase(840, partial(_draw_mixed, decisions=0.75, lists=0.65, positive=0.4), read=0.02, told=0.1, decided=10, rate=0.4),
    Phase(880, partial(_draw_mixed, decisions=0.5, lists=0.5, longest=400), read=0.1, told=0.3, decided=15, rate=0.3),
    Phase(1020, partial(_draw_mixed, decisions=0.5, lists=0.5, short=0.6, longest=600), read=0.25, told=1, decided=30, rate=0.3),
    Phase(1200, partial(_draw_mixed, decisions=0.25, lists=0.5, pairs=0.4, short=0.6, longest=600), read=0.25, told=1, decided=15, rate=0.4),
    Phase(2200, partial(_draw_mixed, decisions=0.25, lists=0.5, pairs=0.4, short=0.6, most_keys=MOST_KEYS, longest=600), read=0.25, told=1, decided=15, rate=0.4),
    Phase(math.inf, partial(_draw_mixed, decisions=0.3, lists=0.7, pairs=0.5, short=0.2, most_keys=MOST_KEYS, longest=800), read=0.25, told=1, decided=10, rate=0.4),
)
RAW_SHARE = 0.08  # documents that are an article alone
MUON_LR, EMBEDDING_LR, HEAD_LR = 0.02, 0.02, 3e-3
WARM_UP_STEPS = 60
COOL_DOWN = 0.4  # share of the steps over which the learning rate falls to zero


def orthogonalise(gradient: torch.Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> torch.Tensor:
    """Muon's Newton-Schulz iteration in fp32.

    torch.optim.Muon runs it in bf16, which is hundreds of times slower than fp32 on a CPU without bf16 units. Same
    formula as torch.optim._muon._zeropower_via_newtonschulz (after Jordan et al., https://kellerjordan.github.io/posts/muon/).
    """
    a, b, c = coefficients
    wide = gradient.size(0) <= gradient.size(1)
    x = gradient if wide else gradient.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x if wide else x.T


def _phase_at(step: int) -> Phase:
    return next(phase for phase in PHASES if step < phase.until)


class Stream(Dataset):
    """Step -> that step's micro-batches; a step's documents depend on the seed and the step alone, so a run can resume."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, steps: int, tokens: int, micro_tokens: int):
        self.tokenizer, self.steps, self.tokens, self.micro_tokens = tokenizer, steps, tokens, micro_tokens

    def __len__(self) -> int:
        return self.steps

    def _document(self, rng: random.Random, phase: Phase) -> tuple[list[int], list[float]]:
        if rng.random() < RAW_SHARE and phase.read:
            ids = [self.tokenizer.bos_token_id, *self._ids(tasks.draw_text(rng)), self.tokenizer.convert_tokens_to_ids("<|end_of_text|>")]
            return ids, [0.0] + [phase.read] * (len(ids) - 1)
        encoded = chat.encode_row(self.tokenizer, phase.draw(rng))
        return encoded.input_ids, _weigh(encoded, phase)

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def __getitem__(self, step: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        rng = random.Random(f"{SEED}-{step}")
        phase = _phase_at(step)
        documents, total = [], 0
        while total < self.tokens:
            documents.append(self._document(rng, phase))
            total += len(documents[-1][0])
        documents.sort(key=lambda document: len(document[0]))
        batches, batch = [], []
        for document in documents:
            if batch and _padded(len(document[0])) * (len(batch) + 1) > self.micro_tokens:
                batches.append(_collate(batch, self.tokenizer.pad_token_id))
                batch = []
            batch.append(document)
        return [*batches, _collate(batch, self.tokenizer.pad_token_id)]


def _weigh(encoded: Encoded, phase: Phase) -> list[float]:
    decided = {at for match in DECISIONS.finditer(encoded.text) for at in range(*match.span())}
    answered = [phase.decided if decided.intersection(range(*span)) else phase.told for span in encoded.spans]
    kinds = zip(encoded.labels, encoded.origins, answered, strict=True)
    return [weight if label != IGNORED else phase.read if origin == "user" else 0.0 for label, origin, weight in kinds]


def _padded(length: int) -> int:
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def _collate(documents: list[tuple[list[int], list[float]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    length = _padded(max(len(ids) for ids, _ in documents))
    ids = torch.tensor([ids + [pad] * (length - len(ids)) for ids, _ in documents])
    return ids, torch.tensor([weights + [0.0] * (length - len(weights)) for _, weights in documents])


def step_loss(model: LlamaForCausalLM, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The weighted sum of the next-token losses; padding stands on the right, where causal attention never sees it."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets, weights = ids[:, 1:], weights[:, 1:]
    counted = weights > 0
    logits = model.lm_head(hidden[counted])
    return (torch.nn.functional.cross_entropy(logits.float(), targets[counted], reduction="none") * weights[counted]).sum()


@torch.no_grad()
def exact_companies(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerBase, *, count: int = 40) -> float:
    """Share of unseen articles whose two lists of companies come back exactly: what to watch, rather than the loss."""
    rng = random.Random(3)
    ask = "답은 파이썬 dictionary로 씁니다.\nnegative_impact_stocks: 부정적인 영향을 받는 종목\npositive_impact_stocks: 긍정적인 영향을 받는 종목"
    hits = 0
    model.eval()
    for _ in range(count):
        article = articles.draw(rng, part="train", length=rng.randint(200, 500), stock=True)
        prompt = chat.encode_prompt(tokenizer, [{"role": "system", "content": ask}, {"role": "user", "content": article.text}])
        ids = torch.tensor([prompt.input_ids], device=model.device)
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=120)
        try:
            answer = ast.literal_eval(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True))
            hits += answer == {"negative_impact_stocks": article.negative, "positive_impact_stocks": article.positive}
        except (ValueError, SyntaxError):
            pass
    model.train()
    return hits / count


def _optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    _muon._zeropower_via_newtonschulz = orthogonalise
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    norms = [p for p in model.parameters() if p.ndim == 1]
    return [
        torch.optim.Muon(matrices, lr=MUON_LR, weight_decay=0.02),
        torch.optim.AdamW([{"params": [model.model.embed_tokens.weight], "lr": EMBEDDING_LR}, {"params": [model.lm_head.weight, *norms], "lr": HEAD_LR}], betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _rate(step: int, steps: int) -> float:
    return max(0.0, min(1.0, (step + 1) / WARM_UP_STEPS, (steps - step) / (COOL_DOWN * steps))) * _phase_at(step).rate


def _save(path: Path, state: dict) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


def train(tokenizer: PreTrainedTokenizerBase, arguments: argparse.Namespace) -> LlamaForCausalLM:
    """Run or resume the training; progress goes to standard output and, as JSON lines, to log.jsonl in the work folder."""
    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = build_model(tokenizer, layers=arguments.layers, width=arguments.width).to(device)
    optimizers = _optimizers(model)
    arguments.work.mkdir(parents=True, exist_ok=True)
    checkpoint, start, seen = arguments.work / "checkpoint.pt", 0, 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        start, seen = state["step"], state["tokens"]
        print(f"resumed at step {start}")
    stream = Stream(tokenizer, steps=arguments.steps, tokens=arguments.tokens, micro_tokens=arguments.micro_tokens)
    loader = iter(DataLoader(stream, batch_size=None, sampler=range(start, arguments.steps), num_workers=1, prefetch_factor=4))
    begun, seen_before = time.monotonic(), seen
    for step in range(start, arguments.steps):
        batches = next(loader)
        weight = sum(weights[:, 1:].sum() for _, weights in batches).to(device)
        loss = 0.0
        for ids, weights in batches:
            part = step_loss(model, ids.to(device), weights.to(device)) / weight
            part.backward()
            loss += part.item()
            seen += int((ids != tokenizer.pad_token_id).sum())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("peak", group["lr"]) * _rate(step, arguments.steps)
            optimizer.step()
            optimizer.zero_grad()
        done = step + 1
        if done % 10 == 0 or done == arguments.steps:
            speed = (seen - seen_before) / (time.monotonic() - begun)
            left = (arguments.steps - done) * (seen / done) / speed
            print(f"step {done}/{arguments.steps}  loss {loss:.3f}  {seen / 1e6:.2f} M tokens  {speed:.0f} tokens/s  {left / 60:.0f} min left", flush=True)
        if done % arguments.check_every == 0 or done == arguments.steps:
            state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "step": done, "tokens": seen}
            _save(checkpoint, state)
            record = {"step": done, "loss": round(loss, 4), "tokens": seen, "exact_companies": exact_companies(model, tokenizer)}
            print(record, flush=True)
            with (arguments.work / "log.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
    return model


def write_card(output: Path, model: LlamaForCausalLM, log: Path) -> None:
    """The model card, with the figures of the last check."""
    last = json.loads(log.read_text().splitlines()[-1])
    card = CARD.read_text(encoding="utf-8").format(
        millions=f"{model.num_parameters() / 1e6:.1f}",
        layers=model.config.num_hidden_layers,
        width=model.config.hidden_size,
        vocabulary=model.config.vocab_size,
        steps=last["step"],
        tokens=f"{last['tokens'] / 1e6:.1f}",
        most_keys=MOST_KEYS,
        exact=f"{last['exact_companies']:.0%}",
    )
    (output / "README.md").write_text(card, encoding="utf-8")


def main() -> None:
    """Train, then write the model beside its tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ASSET, help="folder that holds the tokenizer and gets the model")
    parser.add_argument("--work", type=Path, default=WORK, help="folder for the checkpoint and the log")
    parser.add_argument("--steps", type=int, default=4300, help="optimizer steps")
    parser.add_argument("--tokens", type=int, default=5_000, help="tokens per step")
    parser.add_argument("--micro-tokens", type=int, default=2_000, help="padded tokens in one forward pass")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--check-every", type=int, default=120, help="steps between checkpoints and checks on unseen articles")
    arguments = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(arguments.output)
    model = train(tokenizer, arguments).eval()
    model.save_pretrained(arguments.output, max_shard_size="8MB")
    for shard in arguments.output.glob("*.safetensors"):
        shard.chmod(0o644)  # written with 0600, which a server under another user cannot read
    write_card(arguments.output, model, arguments.work / "log.jsonl")
    print(f"{model.num_parameters() / 1e6:.1f} M parameters -> {arguments.output}")


if __name__ == "__main__":
    main()
