"""What a mistake did to a row: the places that changed, and what is wrong with them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from newsft.encoding.chat import ChatFormat
from newsft.encoding.checks import CHECKS, check_row, trained_outside
from newsft.encoding.row import IGNORED, Encoded
from newsft.lessons.faults import Faults


@dataclass(frozen=True)
class Change:
    """A stretch that is `same`, `added`, `removed` or `replaced`: positions in the row before and in the row after."""

    kind: str
    before: range
    after: range


def compare_rows(before: Encoded, after: Encoded) -> list[Change]:
    """What the faults did to the ids, as stretches that cover both rows. Labels are compared inside the `same` stretches."""
    kinds = {"equal": "same", "insert": "added", "delete": "removed", "replace": "replaced"}
    matcher = difflib.SequenceMatcher(None, before.input_ids, after.input_ids, autojunk=False)
    return [Change(kinds[kind], range(a, b), range(c, d)) for kind, a, b, c, d in matcher.get_opcodes()]


def changed_positions(before: Encoded, after: Encoded) -> tuple[list[int], list[int]]:
    """Positions to mark in the row before and in the row after: tokens that the other lacks, or has with another label or mask."""
    lost, changed = [], []
    for change in compare_rows(before, after):
        if change.kind != "same":
            lost += change.before
            changed += change.after
            continue
        for i, j in zip(change.before, change.after, strict=True):
            if (before.labels[i], before.attention_mask[i]) != (after.labels[j], after.attention_mask[j]):
                lost.append(i)
                changed.append(j)
    return lost, changed


def find_differences(chat: ChatFormat, before: Encoded, after: Encoded) -> list[tuple[str, dict]]:
    """What the row `after` has otherwise than `before`, as (name, figures): tokens added, missing, trained beside the others, no longer trained."""
    places: dict[str, list[int]] = {"added": [], "missing": [], "also_trained": [], "not_trained": []}
    for change in compare_rows(before, after):
        if change.kind != "same":
            places["added"] += change.after
            places["missing"] += change.before
            places["also_trained"] += [j for j in change.after if after.labels[j] != IGNORED]
            places["not_trained"] += [i for i in change.before if before.labels[i] != IGNORED]
            continue
        for i, j in zip(change.before, change.after, strict=True):
            if (before.labels[i] == IGNORED) != (after.labels[j] == IGNORED):
                name, place = ("also_trained", j) if before.labels[i] == IGNORED else ("not_trained", i)
                places[name].append(place)
    found: list[tuple[str, dict]] = [("trained", {"count": sum(label != IGNORED for label in after.labels), "all": len(after), "before": sum(label != IGNORED for label in before.labels)})]
    if (count := after.input_ids.count(chat.tokenizer.bos_token_id)) > 1:
        found.append(("two_bos", {"count": count}))
    for name, positions in places.items():
        if positions:
            ids = (before if name in ("missing", "not_trained") else after).input_ids
            found.append((name, {"count": len(positions), "text": chat.tokenizer.decode([ids[i] for i in positions], clean_up_tokenization_spaces=False)}))
    return found if len(found) > 1 else [*found, ("same", {})]


def find_verdicts(chat: ChatFormat, messages: Sequence[dict], before: Encoded, after: Encoded, faults: Faults) -> list[tuple[str, dict]]:
    """What is wrong with the row `after`, as (verdict's name, its figures); `before` is the correct row of the same messages."""
    held, trained = check_row(chat, messages, after), [i for i, label in enumerate(after.labels) if label != IGNORED]
    figures = {
        "labels": {"before": sum(label != IGNORED for label in before.labels)},
        "only_answers": {"count": len(trained_outside(after, chat.end_id))},
        "one_bos": {"count": after.input_ids.count(chat.tokenizer.bos_token_id)},
        "no_forged": {"count": sum(token in chat.control_ids for token, origin in zip(after.input_ids, after.origins, strict=True) if origin not in ("template", "padding"))},
    }
    found = [(name, figures.get(name, {})) for name in CHECKS if not held[name] and not (name == "end_of_turn" and not held["labels"])]
    lost = before.origins.count("answer") - after.origins.count("answer")
    if lost > 0:
        found.append(("cut", {"count": lost}))
    hidden = sum(mask == 0 and origin != "padding" for mask, origin in zip(after.attention_mask, after.origins, strict=True))
    if hidden:
        found.append(("mask", {"count": hidden}))
    if after.origins and after.origins[0] == "padding":
        found.append(("left", {}))
    if not found and (before.input_ids, before.labels) == (after.input_ids, after.labels):
        found.append(("fine", {"trained": len(trained), "all": len(after)}))
        found += [("nothing", {})] if set(faults.active) - {"pasted"} else []
    return found
