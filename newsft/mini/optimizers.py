"""The base training's optimizers: Muon for the layers' matrices, AdamW for embeddings, head and norms."""

import torch
from torch.optim import _muon
from transformers import LlamaForCausalLM

MUON_LR, EMBEDDING_LR, HEAD_LR = 0.01, 0.01, 2e-3
ORTHOGONALISE_BF16 = _muon._zeropower_via_newtonschulz


def orthogonalise(
    gradient: torch.Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> torch.Tensor:
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


def build_optimizers(model: LlamaForCausalLM, *, bf16: bool) -> list[torch.optim.Optimizer]:
    """Both; with `bf16` units Muon iterates in torch's own bf16."""
    _muon._zeropower_via_newtonschulz = ORTHOGONALISE_BF16 if bf16 else orthogonalise
    matrices = [p for p in model.model.layers.parameters() if p.ndim == 2]
    others = [model.lm_head.weight, *(p for p in model.parameters() if p.ndim == 1)]
    return [
        torch.optim.Muon(matrices, lr=MUON_LR, weight_decay=0.02),
        torch.optim.AdamW(
            [{"params": [model.model.embed_tokens.weight], "lr": EMBEDDING_LR}, {"params": others, "lr": HEAD_LR}],
            betas=(0.9, 0.95),
            weight_decay=0.0,
        ),
    ]
