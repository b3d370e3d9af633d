"""What must hold for every training row; the pre-flight report, the token tab and the break-it lab ask the same functions."""

from collections.abc import Sequence

from newsft.encoding.chat import ChatFormat
from newsft.encoding.row import IGNORED, Encoded

# In the order in which they are reported; what each says in words stands in the texts.
CHECKS = ("one_bos", "labels", "end_of_turn", "only_answers", "no_forged", "prefix", "no_gap")


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
    begin = next(
        (i for i, origin in enumerate(encoded.origins) if origin != "padding"), 0
    )  # behind padding on the left
    ids, labels = encoded.input_ids[begin:], encoded.labels[begin:]
    answers = [number for number, message in enumerate(messages) if message["role"] == "assistant" and number]
    prompts = [chat.encode_prompt(messages[:number]).input_ids for number in answers]
    is_prefix = [ids[: len(prompt)] == prompt for prompt in prompts]
    return {
        "one_bos": bos is None or ids.count(bos) <= max(_written(chat, messages, bos), 1),
        "labels": bool(trained),
        "end_of_turn": bool(trained) and trained[-1] == chat.end_id,
        "only_answers": not trained_outside(encoded, chat.end_id),
        "no_forged": not any(
            token in chat.control_ids
            for token, origin in zip(encoded.input_ids, encoded.origins, strict=True)
            if origin not in ("template", "padding")
        ),
        "prefix": all(is_prefix),
        "no_gap": not trained
        or not any(
            held and labels[len(prompt)] == IGNORED
            for held, prompt, number in zip(is_prefix, prompts, answers, strict=True)
            if len(prompt) < len(labels) and messages[number].get("train", True)
        ),
    }


def _written(chat: ChatFormat, messages: Sequence[dict], bos: int) -> int:
    """How often the template itself writes the beginning-of-text token: Llama 2's before every turn of the user."""
    return chat.encode_pieces(
        [piece for piece in chat.build_pieces(messages) if piece.origin == "template"]
    ).input_ids.count(bos)
