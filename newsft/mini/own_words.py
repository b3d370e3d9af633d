"""Scheduled sampling: part of an answer's words are read as the model itself would have written them.

Trained on given answers alone, a model never sees what follows its own mistakes; a small one, which makes many, then loses what it is in
the middle of (a list, a string) and takes to prose. Here the words are its own and what is to be learned stays as it is, so it
learns to bring a list to its end whatever stands in it (after Bengio et al. 2015, https://arxiv.org/abs/1506.03099; in two passes,
as Mihaylova and Martins 2019, https://arxiv.org/abs/1906.07651). Marks of the form (quotation marks, brackets) are neither replaced nor put in:
what comes after one is another thing.
"""

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

MOST = 0.5  # of a document's words; each document's share is drawn from 0 to this


def plain_tokens(tokenizer: PreTrainedTokenizerBase) -> torch.Tensor:
    """Which tokens are words or parts of them, without a mark of the form: booleans [vocabulary]."""
    special = set(tokenizer.all_special_ids)
    texts = [tokenizer.decode([token]) for token in range(len(tokenizer))]
    return torch.tensor([token not in special and not tokenizer.added_tokens_decoder.get(token) and not set("'\"{}[]:,\n").intersection(text) for token, text in enumerate(texts)])


@torch.no_grad()
def read_own_words(
    model: LlamaForCausalLM, ids: torch.Tensor, told: torch.Tensor, plain: torch.Tensor, *, generator: torch.Generator, most: float = MOST, **inputs: torch.Tensor | None
) -> torch.Tensor:
    """The ids [documents, length] with some of the tokens marked in `told` replaced by what the model would have written there.

    Both the given and the model's own token must be plain; `inputs` are what else the forward pass takes (positions, mask).
    """
    at = told.clone()
    at[:, 0] = False  # nothing predicts it
    at &= plain[ids]
    share = torch.rand(len(ids), 1, generator=generator) * most
    at &= (torch.rand(ids.shape, generator=generator) < share).to(ids.device)
    if not at.any():
        return ids
    hidden = model.model(input_ids=ids, use_cache=False, **inputs).last_hidden_state
    own = model.lm_head(hidden[:, :-1][at[:, 1:]]).argmax(-1)
    given = ids[at]
    replaced = ids.clone()
    replaced[at] = torch.where(plain[own], own, given)
    return replaced
