"""What must hold for every training row; the pre-flight report, the token tab and the break-it lab ask the same functions."""

from collections.abc import Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

from newsft.encoding import chat
from newsft.encoding.chat import IGNORED, Encoded, Piece

# In the order in which they are reported; what each says in words stands in the texts.
CHECKS = ("one_bos", "labels", "end_of_turn", "only_answers", "no_forged", "prefix")


@lru_cache(maxsize=8)
def control_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The ids that no ordinary text produces. VARCO's pad token `!` is special by name only and not among them."""
    special = {number: token.content for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return frozenset(number for number, content in special.items() if chat.encode_pieces(tokenizer, [Piece(content, "user")]).input_ids != [number])


def trained_outside(encoded: Encoded, end: int) -> list[int]:
    """Positions that are trained though they belong neither to an answer nor to what ends it, which goes up to the token `end`."""
    outside, ending = [], False
    for i, (token, label, origin) in enumerate(zip(encoded.input_ids, encoded.labels, encoded.origins, strict=True)):
        if origin != "answer" and label != IGNORED and not (ending and origin == "template"):
            outside.append(i)
        ending = origin == "answer" or (ending and origin == "template" and token != end)
    return outside


def check_row(tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict], encoded: Encoded) -> dict[str, bool]:
    """Check name -> whether it holds for a row and the conversation that it was made from, which ends with the answer."""
    end, control = chat.end_of_turn_id(tokenizer), control_ids(tokenizer)
    trained = [label for label in encoded.labels if label != IGNORED]
    prompt = chat.encode_prompt(tokenizer, messages[:-1]).input_ids
    begin = next((i for i, origin in enumerate(encoded.origins) if origin != "padding"), 0)  # behind padding on the left
    return {
        "one_bos": tokenizer.bos_token_id is None or encoded.input_ids.count(tokenizer.bos_token_id) <= 1,
        "labels": bool(trained),
        "end_of_turn": bool(trained) and trained[-1] == end,
        "only_answers": not trained_outside(encoded, end),
        "no_forged": not any(token in control for token, origin in zip(encoded.input_ids, encoded.origins, strict=True) if origin not in ("template", "padding")),
        "prefix": encoded.input_ids[begin : begin + len(prompt)] == prompt,
    }
