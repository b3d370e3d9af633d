"""A comparison's receipt -> HTML: a folded table, and above it, unfolded, whatever is wrong."""

from collections.abc import Mapping
from html import escape

from newsft.inference.types import AnswerStream, Receipt
from newsft.page.html.table import format_table
from newsft.page.texts import say


def format_receipt(receipt: Receipt, answers: Mapping[str, AnswerStream], *, language: str) -> str:
    """The receipt with one column per side; what both sides share spans the columns."""
    alarms = "".join(_format_alarm(alarm, language) for alarm in receipt.alarms)
    sides, here, unknown = list(receipt.reasons), bool(receipt.base_fingerprint), say("unknown", language)
    counts = [f"{receipt.server_tokens[side]:,}" if side in receipt.server_tokens else unknown for side in sides]
    rows = [
        _row("prompt_hash", [receipt.prompt_hashes[side] or unknown for side in sides], language),
        _row(
            "adapter" if here else "served_name",
            [receipt.adapters[side] or say("adapter_off", language) for side in sides],
            language,
        ),
        *([] if here else [_row("server_tokens", counts, language)]),
        _row("ended", [say(receipt.reasons[side] or "running", language) for side in sides], language),
        _row("speed", [_format_speed(answers[side], language) for side in sides], language),
        *(_row(name, [value], language) for name, value in _list_shared(receipt, language).items()),
    ]
    table = format_table(["", *(say(side, language) for side in sides)], rows)
    return f'{alarms}<details class="receipt"><summary>{say("receipt", language)}</summary>{table}</details>'


def _format_alarm(alarm: str, language: str) -> str:
    words = f"<strong>{say('alarm', language)}</strong> {say(f'alarm_{alarm}', language)}"
    return f'<p class="problem" role="alert">{words}</p>'


def _format_speed(answer: AnswerStream, language: str) -> str:
    return say("speed", language, tokens=answer.tokens, seconds=answer.seconds, speed=answer.tokens_per_second)


def _list_shared(receipt: Receipt, language: str) -> dict[str, str]:
    unknown = say("unknown", language)
    # What another server has is not known, which is something else than not there.
    nothing = say("none", language) if receipt.base_fingerprint else unknown
    prefix = unknown if receipt.is_prefix is None else say("holds" if receipt.is_prefix else "fails", language)
    return {
        **({"shared": say("shared_answer", language)} if receipt.shared else {}),
        "prompt_tokens": f"{receipt.prompt_tokens:,}",
        "is_prefix": prefix,
        **({"template_day": receipt.template_day} if receipt.template_day else {}),
        "difference": say("difference_values", language, **receipt.difference) if receipt.difference else nothing,
        "decoding": _join(receipt.decoding),
        "stop_ids": "; ".join(f"{token} ({', '.join(sources)})" for token, sources in receipt.stop_ids.items())
        or unknown,
        "base_fingerprint": receipt.base_fingerprint or unknown,
        "adapter_fingerprint": receipt.adapter_fingerprint or nothing,
        "adapter_settings": _join(receipt.adapter_settings) or nothing,
        "data_fingerprint": receipt.data_fingerprint or unknown,
    }


def _join(values: Mapping[str, object] | None) -> str:
    return ", ".join(f"{name} {value}" for name, value in (values or {}).items())


def _row(name: str, values: list[str], language: str) -> list[str]:
    return [say(f"receipt_{name}", language), *map(escape, values)]
