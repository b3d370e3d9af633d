"""What the varco recipe takes on several GPUs, in memory and time, computed: the figures of docs/gpu.md."""

from newsft.models.memory import KEPT_PER_LAYER, NF4_BYTES
from newsft.recipe import RECIPES

# VARCO's shape, Llama 3.1 8B's (config.json), and the lengths of its data's rows with Llama 3's tokenizer.
LAYERS, HIDDEN, VOCABULARY, PARAMETERS = 32, 4096, 128_256, 8.03e9
MEAN_ROW, ROWS, STEPS = 1635, 4, 372
CARDS = (  # name, GB, peak TFLOP/s and memory TB/s by the makers' data sheets; whether the weights are in 4 bits
    ("H100", 80, 989, 3.35, False),
    ("A100", 80, 312, 2.04, False),
    ("RTX 4090", 24, 165, 1.01, False),
    ("L4", 24, 121, 0.30, False),
    ("T4, 4 bits", 16, 65, 0.32, True),
)
UTILISATION, ANSWER_TOKENS = 0.4, 1024


def cards_table() -> str:
    """Memory and time of the varco recipe on several GPUs, computed by the formulas that docs/gpu.md states."""
    lines = [
        "| card | memory | weights | activations of a mean pass, kept / recomputed | 372 steps at 40 % of the peak | 1,024 tokens of both answers, at least |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    tokens, at_once = ROWS * MEAN_ROW, RECIPES["varco"].batch_size * MEAN_ROW  # of a step, of a pass
    recomputed = at_once * HIDDEN * (LAYERS * 2 + KEPT_PER_LAYER)
    for name, memory, peak, bandwidth, quantized in CARDS:
        weights, kept = weight_bytes(quantized), at_once * LAYERS * HIDDEN * KEPT_PER_LAYER
        fits = weights + kept < memory * 1e9
        minutes = (4 if fits else 6) * PARAMETERS * tokens * STEPS / (UTILISATION * peak * 1e12) / 60
        seconds = ANSWER_TOKENS * weights / (bandwidth * 1e12)
        held = f"{kept / 1e9:.1f}" if fits else "–"
        lines.append(
            f"| {name} | {memory} GB | {weights / 1e9:.1f} GB | {held} / {recomputed / 1e9:.1f} GB | {minutes:.0f} min | {seconds:.0f} s |"
        )
    return "\n".join(lines)


def weight_bytes(quantized: bool) -> float:
    """Bytes of VARCO's weights in bf16, or with the linear layers in 4 bits; input and output embeddings stay in bf16."""
    kept = 2 * VOCABULARY * HIDDEN
    return kept * 2 + (PARAMETERS - kept) * (NF4_BYTES if quantized else 2)
