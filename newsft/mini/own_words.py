"""Scheduled sampling: part of an answer's words are read as the model itself would have written them.

Trained on given answers alone, a model never sees what follows its own mistakes; a small one, which makes many, then loses what it is in
the middle of (a list, a string) and takes to prose. Here the words are its own and what is to be learned stays as it is, so it
learns to bring a list to its end whatever stands in it (after Bengio et al. 2015, https://arxiv.org/abs/1506.03099; in two passes,
as Mihaylova and Martins 2019, https://arxiv.org/abs/1906.07651). Marks of the form (quotation marks, brackets) are neither replaced nor put in:
what comes after one is another thing. Nor are spaces: a model that reads its own learns to go on with spaces for ever.
"""

import torch
from transformers import LlamaForCausalLM, PreTrainedTokenizerBase

MOST = 0.5  # of a document's words; each document's share is drawn from 0 to this
PASSES = 2  # over a text with runs of own words: from the second on, own words follow own words


def plain_tokens(tokenizer: PreTrainedTokenizerBase) -> torch.Tensor:
    """Which tokens are words or parts of them, without a mark of the form or a blank: booleans [vocabulary]."""
    special = set(tokenizer.all_special_ids)
    texts = [tokenizer.decode([token]) for token in range(len(tokenizer))]
    return torch.tensor(
        [
            token not in special
            and not tokenizer.added_tokens_decoder.get(token)
            and bool(text.strip())
            and not set("'\"{}[]:,`\n").intersection(text)
            for token, text in enumerate(texts)
        ]
    )


@torch.no_grad()
def read_own_words(
    model: LlamaForCausalLM,
    ids: torch.Tensor,
    told: torch.Tensor,
    plain: torch.Tensor,
    *,
    generator: torch.Generator,
    most: float = MOST,
    run: int = 1,
    **inputs: torch.Tensor | None,
) -> torch.Tensor:
    """The ids [documents, length] with some of the tokens marked in `told` replaced by what the model would have written there.

    Both the given and the model's own token must be plain. They are replaced in runs of up to `run` tokens, of one length in a
    document; `inputs` are what else the forward pass takes (positions, mask).
    """
    at = told.clone()
    at[:, 0] = False  # nothing predicts it
    at &= plain[ids] & _draw_runs(ids.shape, most=most, longest=run, generator=generator).to(ids.device)
    if not at.any():
        return ids
    given, read = ids[at], ids
    for _ in range(min(run, PASSES)):
        hidden = model.model(input_ids=read, use_cache=False, **inputs).last_hidden_state
        own = model.lm_head(hidden[:, :-1][at[:, 1:]]).argmax(-1)
        read = ids.clone()
        read[at] = torch.where(plain[own], own, given)
    return read


def _draw_runs(shape: torch.Size, *, most: float, longest: int, generator: torch.Generator) -> torch.Tensor:
    """Booleans of that shape [documents, length], in each document up to `most` of them true, in runs of 1 to `longest`."""
    documents, length = shape
    share = torch.rand(documents, 1, generator=generator) * most
    draws = torch.rand(shape, generator=generator)
    if longest > 1:
        lengths = torch.randint(1, longest + 1, (documents, 1), generator=generator)
        draws = draws.gather(1, torch.arange(length).expand(shape) // lengths)  # one draw for all of a run
    return draws < share
