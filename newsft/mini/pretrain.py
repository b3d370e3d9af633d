"""Train the miniature base model on an endless stream of the generator's conversations.

python -m newsft.mini.pretrain        resumes from work/pretrain where it was interrupted; writes assets/mini/
"""

import argparse
import ast
import json
import random
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch.optim import _muon
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, LlamaForCausalLM, PreTrainedTokenizerBase

from newsft.encoding import chat
from newsft.encoding.prefix import SHARED, build_mask
from newsft.mini import articles
from newsft.mini.auxiliary import AuxiliaryHead
from newsft.mini.model import build_model, grow_model
from newsft.mini.own_words import plain_tokens, read_own_words
from newsft.mini.schedule import MOST_KEYS, phase_at
from newsft.mini.stream import SEED, Batch, Stream
from newsft.mini.tokenizer import ASSET

WORK = Path("work/pretrain")
CARD = Path(__file__).with_name("model_card.md")
MUON_LR, EMBEDDING_LR, HEAD_LR = 0.02, 0.02, 3e-3
WARM_UP_STEPS = 60
ORTHOGONALISE_BF16 = _muon._zeropower_via_newtonschulz
COOL_DOWN = 0.1  # share of the steps over which the learning rate falls to zero


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


def step_loss(model: LlamaForCausalLM, batch: Batch, auxiliary: AuxiliaryHead | None = None, reread: Callable[..., torch.Tensor] | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The weighted sum of the next-token losses and the auxiliary loss; `reread` changes the ids that are read (`own_words`), not those to be learned."""
    joined = bool((batch.owners == SHARED).any())  # else causal attention never sees the padding, which stands on the right
    inputs = {"position_ids": batch.positions, "attention_mask": build_mask(batch.owners) if joined else None}
    read = reread(model, batch.ids, **inputs) if reread else batch.ids
    out = model.model(input_ids=read, use_cache=False, output_hidden_states=auxiliary is not None, **inputs)
    hidden, targets, weights = out.last_hidden_state[:, :-1], batch.ids[:, 1:], batch.weights[:, 1:]
    counted = weights > 0
    logits = model.lm_head(hidden[counted])
    loss = (torch.nn.functional.cross_entropy(logits.float(), targets[counted], reduction="none") * weights[counted]).sum()
    return loss, auxiliary(model, out.hidden_states, batch.labels) if auxiliary else loss.new_zeros(())


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


def _optimizers(model: LlamaForCausalLM, auxiliary: AuxiliaryHead, *, bf16: bool) -> list[torch.optim.Optimizer]:
    _muon._zeropower_via_newtonschulz = ORTHOGONALISE_BF16 if bf16 else orthogonalise
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    others = [model.lm_head.weight, *(p for p in model.parameters() if p.ndim == 1), *auxiliary.parameters()]
    return [
        torch.optim.Muon(matrices, lr=MUON_LR, weight_decay=0.02),
        torch.optim.AdamW([{"params": [model.model.embed_tokens.weight], "lr": EMBEDDING_LR}, {"params": others, "lr": HEAD_LR}], betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _rate(step: int, steps: int) -> float:
    return max(0.0, min(1.0, (step + 1) / WARM_UP_STEPS, (steps - step) / (COOL_DOWN * steps))) * phase_at(step).rate


def _save(path: Path, state: dict) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    temporary.replace(path)


class Run:
    """The model in training, all that its next step depends on, and the figures for the log."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, arguments: argparse.Namespace, *, device: str):
        torch.manual_seed(SEED)
        self.tokenizer, self.arguments, self.device = tokenizer, arguments, device
        self.bf16 = torch.cuda.is_bf16_supported() if device == "cuda" else torch.cpu._is_avx512_bf16_supported()
        self.step = self.tokens = 0
        self.plain = plain_tokens(tokenizer).to(device)
        self._begin(build_model(tokenizer, layers=phase_at(0).layers, width=arguments.width).to(device))

    def _begin(self, model: LlamaForCausalLM) -> None:
        self.model, self.auxiliary = model, AuxiliaryHead(model.config.hidden_size).to(self.device)
        self.optimizers = _optimizers(self.model, self.auxiliary, bf16=self.bf16)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.step, self.tokens = state["step"], state["tokens"]
        self._begin(build_model(self.tokenizer, layers=phase_at(self.step - 1).layers, width=self.arguments.width).to(self.device))
        self.model.load_state_dict(state["model"])
        self.auxiliary.load_state_dict(state["auxiliary"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        _save(path, {"model": self.model.state_dict(), "auxiliary": self.auxiliary.state_dict(), "optimizers": optimizers, "step": self.step, "tokens": self.tokens})

    def advance(self, batches: list[Batch]) -> tuple[float, float]:
        """One optimizer step; the mean loss of its tokens and of its auxiliary labels."""
        phase = phase_at(self.step)
        if phase.layers > self.model.config.num_hidden_layers:
            torch.manual_seed(SEED + self.step)  # the same whether the run was interrupted or not
            self._begin(grow_model(self.model, self.tokenizer, layers=phase.layers))
        weight = sum(batch.weights[:, 1:].sum() for batch in batches).to(self.device)
        losses = [0.0, 0.0]
        generator = torch.Generator().manual_seed(SEED + self.step)
        for batch in batches:
            placed = Batch(*(values.to(self.device) for values in batch))
            reread = partial(read_own_words, told=placed.weights == phase.told, plain=self.plain, most=phase.own, run=phase.run, generator=generator) if phase.own else None
            with torch.autocast(self.device, torch.bfloat16, enabled=self.bf16):
                part, hidden = step_loss(self.model, placed, self.auxiliary if phase.auxiliary else None, reread)
            part, hidden = part / weight, hidden / len(batches)
            (part + phase.auxiliary * hidden).backward()
            losses = [losses[0] + part.item(), losses[1] + hidden.item()]
            self.tokens += int((batch.ids != self.tokenizer.pad_token_id).sum())
        torch.nn.utils.clip_grad_norm_([*self.model.parameters(), *self.auxiliary.parameters()], 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group.setdefault("peak", group["lr"]) * _rate(self.step, self.arguments.steps)
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        return losses[0], losses[1]


def train(tokenizer: PreTrainedTokenizerBase, arguments: argparse.Namespace) -> LlamaForCausalLM:
    """Run or resume the training; progress goes to standard output and, as JSON lines, to log.jsonl in the work folder."""
    run = Run(tokenizer, arguments, device="cuda" if torch.cuda.is_available() else "cpu")
    arguments.work.mkdir(parents=True, exist_ok=True)
    checkpoint = arguments.work / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
        print(f"resumed at step {run.step}")
    stream = Stream(tokenizer, steps=arguments.steps, tokens=arguments.tokens, micro_tokens=arguments.micro_tokens)
    begun, tokens_before = time.monotonic(), run.tokens
    for batches in DataLoader(stream, batch_size=None, sampler=range(run.step, arguments.steps), num_workers=1, prefetch_factor=4):
        loss, auxiliary = run.advance(batches)
        if run.step % 10 == 0 or run.step == arguments.steps:
            speed = (run.tokens - tokens_before) / (time.monotonic() - begun)
            left = (arguments.steps - run.step) * (run.tokens / run.step) / speed
            print(f"step {run.step}/{arguments.steps}  loss {loss:.3f}  auxiliary {auxiliary:.3f}  {run.tokens / 1e6:.2f} M tokens  {speed:.0f} tokens/s  {left / 60:.0f} min left", flush=True)
        if run.step % arguments.check_every == 0 or run.step == arguments.steps:
            run.save(checkpoint)
            record = {"step": run.step, "loss": round(loss, 4), "auxiliary": round(auxiliary, 4), "tokens": run.tokens, "exact_companies": exact_companies(run.model, tokenizer)}
            print(record, flush=True)
            with (arguments.work / "log.jsonl").open("a") as log:
                log.write(json.dumps(record) + "\n")
    return run.model


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
    parser.add_argument("--steps", type=int, default=15_920, help="optimizer steps")
    parser.add_argument("--tokens", type=int, default=5_000, help="tokens per step")
    parser.add_argument("--micro-tokens", type=int, default=2_000, help="padded tokens in one forward pass")
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
