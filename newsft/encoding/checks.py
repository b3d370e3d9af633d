"""What must hold for every training row; the pre-flight report, the token tab and the break-it lab ask the same functions."""

from collections.abc import Sequence

from newsft.encoding.chat import IGNORED, ChatFormat, Encoded

# In the order in which they are reported; what each says in words stands in the texts.
CHECKS = ("one_bos", "labels", "end_of_turn", "only_answers", "no_forged", "prefix")


def trained_outside(encoded: Encoded, end: int) -> list[int]:
    """Positions that are trained though they belong neither to an answer nor to what ends it, which goes up to the token `end`."""
    outside, ending = [], False
    for i, (token, label, origin) in enumerate(zip(encoded.input_ids, encoded.labels, encoded.origins, strict=True)):
        if origin != "answer" and label != IGNORED and not (ending and origin == "template"):
            outside.append(i)
        ending = origin == "answer" or (ending and origin == "template" and token != end)
    return outside


def check_row(chat: ChatFormat, messages: Sequence[dict], encoded: Encoded) -> dict[str, bool]:
    """Check name -> whether it holds for a row and the conversation that it was made from, which ends with the answer."""
    bos = chat.tokenizer.bos_token_id
    trained = [label for label in encoded.labels if label != IGNORED]
    prompt = chat.encode_prompt(messages[:-1]).input_ids
    begin = next((i for i, origin in enumerate(encoded.origins) if origin != "padding"), 0)  # behind padding on the left
    return {
        "one_bos": bos is None or encoded.input_ids.count(bos) <= 1,
        "labels": bool(trained),
        "end_of_turn": bool(trained) and trained[-1] == chat.end_id,
        "only_answers": not trained_outside(encoded, chat.end_id),
        "no_forged": not any(token in chat.control_ids for token, origin in zip(encoded.input_ids, encoded.origins, strict=True) if origin not in ("template", "padding")),
        "prefix": encoded.input_ids[begin : begin + len(prompt)] == prompt,
    }
