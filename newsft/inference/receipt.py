"""What makes a comparison fair, in figures that anyone can check: same ids, same decoding, and an adapter that does something."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from newsft.encoding.fidelity import find_id_difference, find_text_difference
from newsft.inference.types import LENGTH, STOP, Comparison, Engine, Receipt
from newsft.models.load import on_day_of

# What can be wrong with a comparison; the page's texts have the same names.
NO_DIFFERENCE, OTHER_IDS, NO_PREFIX, OTHER_BASE, OTHER_TEXT = (
    "no_difference",
    "other_ids",
    "no_prefix",
    "other_base",
    "other_text",
)
# And what can be seen from outside of a server.
SAME_ANSWERS, OTHER_COUNT, CONTROL_TEXT, MIXED = "same_answers", "other_count", "control_text", "mixed"


def hash_ids(ids: list[int]) -> str:
    """16 hex digits for a list of token ids."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:16]


def write_receipt(engine: Engine, comparison: Comparison) -> Receipt:
    """The receipt of a comparison that this engine made; what only a server knows is None in it, not guessed."""
    models, prompt, adapter = engine.models, comparison.prompt, comparison.adapter
    run = (adapter.run if adapter else models.run) or {}
    here = bool(models.base_fingerprint)
    chat = on_day_of(engine.chat, run)
    row = chat.encode_row([*prompt.messages, {"role": "assistant", "content": "{"}])
    receipt = Receipt(
        prompt_hashes={
            side: hash_ids(comparison.requests[side].prompt) if side in comparison.requests else None
            for side in comparison.answers
        },
        prompt_tokens=len(prompt.ids),
        is_prefix=row.input_ids[: len(prompt.ids)] == prompt.ids if comparison.requests else None,
        decoding=engine.decoding,
        stop_ids=engine.stop_ids,
        reasons={side: answer.reason for side, answer in comparison.answers.items()},
        adapters=dict(comparison.switched),
        base_fingerprint=models.base_fingerprint,
        adapter_fingerprint=adapter.fingerprint if adapter else None,
        adapter_settings=adapter.settings if adapter else None,
        data_fingerprint=run.get("data_fingerprint") if here else None,
        template_day=chat.day.isoformat() if comparison.requests and chat.is_dated else None,
        difference=comparison.difference,
        alarms=(),
        shared=comparison.shared,
        server_tokens=dict(comparison.server_tokens),
    )
    alarms = [*_find_alarms(receipt, run), *_find_alarms_of_servers(engine, comparison)]
    if find_text_difference(chat, row.messages, row) or find_id_difference(chat, row.messages, row):
        alarms.append(OTHER_TEXT)
    return replace(receipt, alarms=tuple(alarms))


def _find_alarms(receipt: Receipt, run: dict) -> Iterator[str]:
    if receipt.difference is not None and receipt.difference["largest"] == 0:
        yield NO_DIFFERENCE
    if len(set(receipt.prompt_hashes.values())) > 1:
        yield OTHER_IDS
    if receipt.is_prefix is False:
        yield NO_PREFIX
    if run and receipt.base_fingerprint and run["base_fingerprint"] != receipt.base_fingerprint:
        yield OTHER_BASE


def _find_alarms_of_servers(engine: Engine, comparison: Comparison) -> Iterator[str]:
    """What a comparison of models that are elsewhere shows of them. Here the logits tell more than equal texts, which two models may well write."""
    if engine.models.base_fingerprint:
        return
    if engine.models.mixed:
        yield MIXED
    texts, ended = (
        {answer.text for answer in comparison.answers.values()},
        all(answer.reason in (STOP, LENGTH) for answer in comparison.answers.values()),
    )
    if len(comparison.answers) > 1 and ended and len(texts) == 1:
        yield SAME_ANSWERS
    if any(count != len(comparison.prompt.ids) for count in comparison.server_tokens.values()):
        yield OTHER_COUNT
    spelled = (
        part for message in comparison.prompt.messages for part in engine.chat.split_at_control(message["content"])
    )
    if not comparison.requests and any(control for _, control in spelled):
        yield CONTROL_TEXT
