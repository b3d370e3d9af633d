"""What a mistake did to a row: the places that changed, and what is wrong with them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from newsft.encoding.chat import ChatFormat
from newsft.encoding.checks import CHECKS, check_row, trained_outside
from newsft.encoding.row import IGNORED, Encoded
from newsft.lessons.faults import Faults


@dataclass(frozen=True)
class Pairing:
    """Two rows side by side: positions whose tokens correspond, and those of tokens that the other row lacks."""

    same: list[tuple[int, int]]
    removed: list[int]  # positions in the row before
    added: list[int]  # positions in the row after


def pair_rows(before: Encoded, after: Encoded) -> Pairing:
    """Which tokens of the row `before` are which of the row `after`, by their ids."""
    same, matcher = [], difflib.SequenceMatcher(None, before.input_ids, after.input_ids, autojunk=False)
    for first, second, size in matcher.get_matching_blocks():
        same += zip(range(first, first + size), range(second, second + size), strict=True)
    kept_before, kept_after = {i for i, _ in same}, {j for _, j in same}
    removed = [i for i in range(len(before)) if i not in kept_before]
    return Pairing(same, removed, [j for j in range(len(after)) if j not in kept_after])


def changed_positions(before: Encoded, after: Encoded) -> tuple[list[int], list[int]]:
    """Positions to mark in the row before and in the row after: tokens that the other lacks, or has with another label or mask."""
    pairing = pair_rows(before, after)
    other = [
        (i, j)
        for i, j in pairing.same
        if (before.labels[i], before.attention_mask[i]) != (after.labels[j], after.attention_mask[j])
    ]
    return sorted([*pairing.removed, *(i for i, _ in other)]), sorted([*pairing.added, *(j for _, j in other)])


def find_differences(chat: ChatFormat, before: Encoded, after: Encoded) -> list[tuple[str, dict]]:
    """What the row `after` has otherwise than `before`, as (name, figures): tokens added, missing, trained beside the others, no longer trained."""
    pairing = pair_rows(before, after)
    trained_before, trained_after = (
        {i for i, label in enumerate(row.labels) if label != IGNORED} for row in (before, after)
    )
    still = {(i, j) for i, j in pairing.same if i in trained_before and j in trained_after}
    places = {
        "added": (after, pairing.added),
        "missing": (before, pairing.removed),
        "also_trained": (after, sorted(trained_after - {j for _, j in still})),
        "not_trained": (before, sorted(trained_before - {i for i, _ in still})),
    }
    found: list[tuple[str, dict]] = [
        ("trained", {"count": len(trained_after), "all": len(after), "before": len(trained_before)})
    ]
    if (count := after.input_ids.count(chat.tokenizer.bos_token_id)) > 1:
        found.append(("two_bos", {"count": count}))
    for name, (row, positions) in places.items():
        if positions:
            text = chat.tokenizer.decode([row.input_ids[i] for i in positions], clean_up_tokenization_spaces=False)
            found.append((name, {"count": len(positions), "text": text}))
    return found if len(found) > 1 else [*found, ("same", {})]


def find_verdicts(
    chat: ChatFormat, messages: Sequence[dict], before: Encoded, after: Encoded, faults: Faults
) -> list[tuple[str, dict]]:
    """What is wrong with the row `after`, as (verdict's name, its figures); `before` is the correct row of the same messages."""
    held, trained = check_row(chat, messages, after), [i for i, label in enumerate(after.labels) if label != IGNORED]
    contents = [
        token
        for token, origin in zip(after.input_ids, after.origins, strict=True)
        if origin not in ("template", "padding")
    ]
    figures = {
        "labels": {"before": sum(label != IGNORED for label in before.labels)},
        "only_answers": {"count": len(trained_outside(after, chat.end_id))},
        "one_bos": {"count": after.input_ids.count(chat.tokenizer.bos_token_id)},
        "no_forged": {"count": sum(token in chat.control_ids for token in contents)},
    }
    failed = [name for name in CHECKS if not held[name] and (name != "end_of_turn" or held["labels"])]
    found = [(name, figures.get(name, {})) for name in failed]
    lost = before.origins.count("answer") - after.origins.count("answer")
    if lost > 0:
        found.append(("cut", {"count": lost}))
    hidden = sum(
        mask == 0 and origin != "padding" for mask, origin in zip(after.attention_mask, after.origins, strict=True)
    )
    if hidden:
        found.append(("mask", {"count": hidden}))
    if after.origins and after.origins[0] == "padding":
        found.append(("left", {}))
    if not found and (before.input_ids, before.labels) == (after.input_ids, after.labels):
        found.append(("fine", {"trained": len(trained), "all": len(after)}))
        found += [("nothing", {})] if set(faults.active) - {"pasted"} else []
    return found
