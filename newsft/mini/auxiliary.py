"""The auxiliary loss: at every token of an article, whose story is told here, and how does it end for that company?

The answers alone never taught which company an event of an article of several belongs to: after 3,600 steps every list of such
an article was a guess. With this supervision of the layers in between, the company is known after 100 steps and its direction after
600; the lists follow within 200 more. The two linear maps are used in the training alone and not saved with the model. (Supervision of hidden layers:
Lee et al. 2015, https://arxiv.org/abs/1409.5185.)
"""

import re
from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.nn.functional import cross_entropy, rms_norm
from transformers import LlamaForCausalLM

from newsft.encoding.chat import IGNORED, Encoded

EFFECTS = "+-0"
COMPANY_LAYER, EFFECT_LAYER = 3, 4  # layers before the hidden states that must hold them
SCALE = 16  # of the scores: the embeddings' rows are long

Label = tuple[int, int]  # the first token of the company's name, the number of its effect
NO_LABEL: Label = (IGNORED, IGNORED)


def label_tokens(encoded: Encoded, effects: Mapping[str, str], ids_of: Callable[[str], list[int]]) -> list[Label]:
    """Per token the company named last before it in the user's text and its effect; `NO_LABEL` before the first name and elsewhere.

    `effects` maps a company to '+', '-' or '0'.
    """
    named = sorted((match.end(), (ids_of(name)[0], EFFECTS.index(effect))) for name, effect in effects.items() for match in re.finditer(re.escape(name), encoded.text))
    labels, following, current = [], iter([*named, (len(encoded.text) + 1, NO_LABEL)]), NO_LABEL
    end, label = next(following)
    for (start, _), origin in zip(encoded.spans, encoded.origins, strict=True):
        while end <= start:
            current = label
            end, label = next(following)
        labels.append(current if origin == "user" else NO_LABEL)
    return labels


class AuxiliaryHead(nn.Module):
    """Reads the company and its effect off the hidden states by one linear map each."""

    def __init__(self, width: int):
        super().__init__()
        self.company, self.effect = nn.Linear(width, width, bias=False), nn.Linear(width, len(EFFECTS))

    def forward(self, model: LlamaForCausalLM, states: tuple[torch.Tensor, ...], labels: torch.Tensor) -> torch.Tensor:
        """The mean loss over the labelled tokens; `states` [layers + 1][batch, length, width], `labels` [batch, length, 2]."""
        companies, effects = labels.unbind(-1)
        labelled = companies != IGNORED
        if not labelled.any():
            return states[0].new_zeros(())
        lower, upper = (rms_norm(states[layer][labelled], states[layer].shape[-1:]) for layer in (COMPANY_LAYER, EFFECT_LAYER))
        scores = self.company(lower) @ model.get_input_embeddings().weight.detach().T / SCALE
        return cross_entropy(scores, companies[labelled]) + cross_entropy(self.effect(upper), effects[labelled])
