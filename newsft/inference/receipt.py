"""What makes a comparison fair, in figures that anyone can check: same ids, same decoding, and an adapter that does something."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from newsft.encoding.fidelity import find_id_difference, find_text_difference
from newsft.inference.types import Comparison, Engine, Receipt

# What can be wrong with a comparison; the page's texts have the same names.
NO_DIFFERENCE, OTHER_IDS, NO_PREFIX, OTHER_BASE, OTHER_TEXT = "no_difference", "other_ids", "no_prefix", "other_base", "other_text"


def hash_ids(ids: list[int]) -> str:
    """16 hex digits for a list of token ids."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()[:16]


def write_receipt(engine: Engine, comparison: Comparison) -> Receipt:
    """The receipt of a comparison that this engine made."""
    models, prompt = engine.models, comparison.prompt
    run = models.run or {}
    row = engine.chat.encode_row([*prompt.messages, {"role": "assistant", "content": "{"}])
    receipt = Receipt(
        prompt_hashes={side: hash_ids(request.prompt) for side, request in comparison.requests.items()},
        prompt_tokens=len(prompt.ids),
        is_prefix=row.input_ids[: len(prompt.ids)] == prompt.ids,
        decoding=engine.decoding,
        stop_ids=engine.stop_ids,
        reasons={side: answer.reason for side, answer in comparison.answers.items()},
        adapters=engine.adapters,
        base_fingerprint=models.base_fingerprint,
        adapter_fingerprint=models.adapter_fingerprint,
        data_fingerprint=run.get("data_fingerprint"),
        template_day=engine.chat.day.isoformat() if engine.chat.is_dated else None,
        difference=comparison.difference,
        alarms=(),
    )
    alarms = [*_find_alarms(receipt, run), *([OTHER_TEXT] if find_text_difference(engine.chat, row.messages, row) or find_id_difference(engine.chat, row.messages, row) else [])]
    return replace(receipt, alarms=tuple(alarms))


def _find_alarms(receipt: Receipt, run: dict) -> Iterator[str]:
    if receipt.difference is not None and receipt.difference["largest"] == 0:
        yield NO_DIFFERENCE
    if len(set(receipt.prompt_hashes.values())) > 1:
        yield OTHER_IDS
    if not receipt.is_prefix:
        yield NO_PREFIX
    if run and receipt.base_fingerprint and run["base_fingerprint"] != receipt.base_fingerprint:
        yield OTHER_BASE
