"""A comparison's receipt -> HTML: a folded table, and above it, unfolded, whatever is wrong."""

from collections.abc import Mapping
from html import escape

from newsft.inference.types import AnswerStream, Receipt
from newsft.page.texts import say


def format_receipt(receipt: Receipt, answers: Mapping[str, AnswerStream], *, language: str) -> str:
    """The receipt with one column per side; what both sides share spans the columns."""
    alarms = "".join(f'<p class="problem" role="alert"><strong>{say("alarm", language)}</strong> {say(f"alarm_{alarm}", language)}</p>' for alarm in receipt.alarms)
    sides = list(receipt.prompt_hashes)
    head = "".join(f'<th scope="col">{say(side, language)}</th>' for side in sides)
    rows = [
        _row("prompt_hash", [receipt.prompt_hashes[side] for side in sides], language),
        _row("adapter", [receipt.adapters[side] or say("adapter_off", language) for side in sides], language),
        _row("ended", [say(receipt.reasons[side] or "running", language) for side in sides], language),
        _row("speed", [say("speed", language, tokens=answers[side].tokens, seconds=answers[side].seconds, speed=answers[side].tokens_per_second) for side in sides], language),
        *(_row(name, [value], language, span=len(sides)) for name, value in _shared(receipt, language)),
    ]
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'{alarms}<details class="receipt"><summary>{say("receipt", language)}</summary><div class="scroll">{table}</div></details>'


def _shared(receipt: Receipt, language: str) -> list[tuple[str, str]]:
    stops = "; ".join(f"{token} ({', '.join(sources)})" for token, sources in receipt.stop_ids.items())
    difference = say("difference_values", language, **receipt.difference) if receipt.difference else say("none", language)
    return [
        ("prompt_tokens", f"{receipt.prompt_tokens:,}"),
        ("is_prefix", say("holds" if receipt.is_prefix else "fails", language)),
        *([("template_day", receipt.template_day)] if receipt.template_day else []),
        ("difference", difference),
        ("decoding", ", ".join(f"{name} {value}" for name, value in receipt.decoding.items())),
        ("stop_ids", stops),
        ("base_fingerprint", receipt.base_fingerprint or say("unknown", language)),
        ("adapter_fingerprint", receipt.adapter_fingerprint or say("none", language)),
        ("data_fingerprint", receipt.data_fingerprint or say("unknown", language)),
    ]


def _row(name: str, values: list[str], language: str, *, span: int = 1) -> str:
    cells = "".join(f'<td colspan="{span}">{escape(value)}</td>' for value in values)
    return f'<tr><th scope="row">{say(f"receipt_{name}", language)}</th>{cells}</tr>'
