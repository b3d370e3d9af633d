"""Whether our ways compute the same as the plain ones in the GPU's own type (bf16), on a checkpoint of the 8B shape, beside what rounding alone does there.

python -m benchmarks.varco8b                             writes the checkpoint, once
python -m benchmarks.equivalence_gpu [--checkpoint DIR]

Answers: the first token's logits and 32 greedy tokens of both sides in our batch, beside the same weights called alone. Training: loss and gradient of a step
without the mask of its padding, as our trainer takes it, beside the step with it. And beside each, as a measure, two plain ways that differ by rounding only:
the prompt alone and twice in a batch, the padded step and its rows one by one.
"""

import json
import tempfile
from pathlib import Path

import torch
from peft import PeftModel

from benchmarks.answers_gpu import PREFIX, write_adapter
from benchmarks.flags import Flags
from benchmarks.result import print_result
from benchmarks.train_gpu import draw_rows
from benchmarks.varco8b import write_checkpoint
from newsft.encoding.collate import collate
from newsft.encoding.row import IGNORED, Encoded
from newsft.inference.decoder import Decoder, Job
from newsft.inference.types import Request
from newsft.models.load import ADAPTER, load_base

TOKENS, ROWS = 32, 4
SIDES = ("base", "tuned")


def brief(value: float) -> float:
    """Three digits, however small it is."""
    return float(f"{value:.2e}")


def compare_answers(model: PeftModel, ids: list[int], prefix: int) -> dict:
    """Per side: the largest difference of the first logits over their spread, and how many greedy tokens agree from the first on."""
    first: dict[int, torch.Tensor] = {}
    job = Job([Request(ids, side, prefix) for side in SIDES], on_start=lambda row, logits: first.update({row: logits}))
    decoder, found = Decoder(model, stop_ids=[], max_new_tokens=TOKENS), {0: [], 1: []}
    decoder.submit(job)
    while decoder.busy:
        for token in decoder.step().get(job, []):
            found[token.row] += [] if token.token is None else [token.token]
    compared = {}
    for row, side in enumerate(SIDES):
        plain = generate(model, ids, tuned=side == "tuned")
        twice = generate(model, ids, tuned=side == "tuned", copies=2)
        compared[side] = {
            "ours": _compare((found[row], first[row]), plain),
            "rounding_alone": _compare(twice, plain),
        }
    return compared


def _compare(one: tuple[list[int], torch.Tensor], plain: tuple[list[int], torch.Tensor]) -> dict:
    pairs = enumerate(zip(one[0], plain[0], strict=True))
    apart = (one[1].float() - plain[1].float()).abs().max() / plain[1].float().std()
    alike = next((place for place, pair in pairs if len(set(pair)) > 1), TOKENS)
    return {"logits_apart": brief(apart.item()), "tokens_alike": alike, "of": TOKENS}


@torch.inference_mode()
def generate(model: PeftModel, ids: list[int], *, tuned: bool, copies: int = 1) -> tuple[list[int], torch.Tensor]:
    """transformers' own greedy answer with the adapter on or off, and the first token's logits; `copies` of the prompt in the batch."""
    if not tuned:
        with model.disable_adapter():
            return generate(model, ids, tuned=True, copies=copies)
    prompt = torch.tensor([ids] * copies, device=model.device)
    settings = {"min_new_tokens": TOKENS, "max_new_tokens": TOKENS, "do_sample": False, "pad_token_id": 0}
    made = model.generate(
        input_ids=prompt,
        attention_mask=torch.ones_like(prompt),
        output_logits=True,
        return_dict_in_generate=True,
        **settings,
    )
    return made.sequences[0, len(ids) :].tolist(), made.logits[0][0]


def compute_gradient(model: PeftModel, batches: list[dict]) -> tuple[float, torch.Tensor]:
    """Loss and gradient of a step whose rows come in these batches."""
    model.zero_grad()
    labels = sum(int((batch["labels"] != IGNORED).sum()) for batch in batches)
    loss = 0.0
    for batch in batches:
        on_device = {name: value.to(model.device) for name, value in batch.items()}
        part = model(**on_device, num_items_in_batch=labels).loss
        part.backward()
        loss += part.item()
    return loss, torch.cat([one.grad.float().flatten() for one in model.parameters() if one.grad is not None])


def compare_training(model: PeftModel, rows: list[Encoded]) -> dict:
    """How far two ways of the same step are apart, relative to the padded one."""
    for name, weight in model.named_parameters():
        weight.requires_grad_("lora_" in name)
    padded = compute_gradient(model, [collate(rows, pad_id=0)])
    unmasked = {name: value for name, value in collate(rows, pad_id=0).items() if name != "attention_mask"}
    ways = {"ours": [unmasked], "rounding_alone": [collate([row], pad_id=0) for row in rows]}
    compared = {}
    for name, batches in ways.items():
        loss, gradient = compute_gradient(model, batches)
        apart = (gradient - padded[1]).norm() / padded[1].norm()
        compared[name] = {"loss_apart": brief(abs(loss / padded[0] - 1)), "gradient_apart": brief(apart.item())}
    return compared


def measure(checkpoint: Path, folder: Path, *, shrink: int) -> dict:
    """Both comparisons, each told as it comes."""
    write_adapter(checkpoint, folder)
    model = PeftModel.from_pretrained(load_base(str(checkpoint)).model, folder, adapter_name=ADAPTER).eval()
    rows, found = draw_rows(ROWS, shrink=shrink), {"dtype": str(model.dtype).removeprefix("torch.")}
    prompt = [token for token, label in zip(rows[0].input_ids, rows[0].labels, strict=True) if label == IGNORED]
    found["answers"] = compare_answers(model, prompt, PREFIX // shrink)
    print(json.dumps(found), flush=True)
    found["training"] = compare_training(model, rows)
    return found


def main() -> None:
    """Print the result and, last, one JSON line."""
    parser = Flags(__doc__, shrink=16)
    parser.add_argument("--checkpoint", type=Path, default=Path("work/varco8b"))
    parser.add_argument("--shrink", type=int, default=1, help="divide the rows' lengths by so much")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = arguments.checkpoint
        if arguments.short:
            settings = {"hidden": 64, "layers": 2, "heads": 4, "shard": "20MB", "dtype": torch.bfloat16}
            checkpoint = write_checkpoint(Path(folder) / "model", **settings)
        print_result(measure(checkpoint, Path(folder) / "adapter", shrink=arguments.shrink))


if __name__ == "__main__":
    main()
