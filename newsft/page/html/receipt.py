"""A comparison's receipt -> HTML: a folded table, and above it, unfolded, whatever is wrong."""

from collections.abc import Mapping
from html import escape

from newsft.inference.types import AnswerStream, Receipt
from newsft.page.texts import say


def format_receipt(receipt: Receipt, answers: Mapping[str, AnswerStream], *, language: str) -> str:
    """The receipt with one column per side; what both sides share spans the columns."""
    alarms = "".join(f'<p class="problem" role="alert"><strong>{say("alarm", language)}</strong> {say(f"alarm_{alarm}", language)}</p>' for alarm in receipt.alarms)
    sides, here = list(receipt.reasons), bool(receipt.base_fingerprint)
    head = "".join(f'<th scope="col">{say(side, language)}</th>' for side in sides)
    rows = [
        _row("prompt_hash", [receipt.prompt_hashes[side] or say("unknown", language) for side in sides], language),
        _row("adapter" if here else "served_name", [receipt.adapters[side] or say("adapter_off", language) for side in sides], language),
        *([] if here else [_row("server_tokens", [f"{receipt.server_tokens[side]:,}" if side in receipt.server_tokens else say("unknown", language) for side in sides], language)]),
        _row("ended", [say(receipt.reasons[side] or "running", language) for side in sides], language),
        _row("speed", [say("speed", language, tokens=answers[side].tokens, seconds=answers[side].seconds, speed=answers[side].tokens_per_second) for side in sides], language),
        *(_row(name, [value], language, span=len(sides)) for name, value in _shared(receipt, language)),
    ]
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f'{alarms}<details class="receipt"><summary>{say("receipt", language)}</summary><div class="scroll">{table}</div></details>'


def _shared(receipt: Receipt, language: str) -> list[tuple[str, str]]:
    unknown = say("unknown", language)
    stops = "; ".join(f"{token} ({', '.join(sources)})" for token, sources in receipt.stop_ids.items())
    # What another server has is not known, which is something else than not there.
    nothing = say("none", language) if receipt.base_fingerprint else unknown
    return [
        ("prompt_tokens", f"{receipt.prompt_tokens:,}"),
        ("is_prefix", unknown if receipt.is_prefix is None else say("holds" if receipt.is_prefix else "fails", language)),
        ("difference", say("difference_values", language, **receipt.difference) if receipt.difference else nothing),
        ("decoding", ", ".join(f"{name} {value}" for name, value in receipt.decoding.items())),
        ("stop_ids", stops or unknown),
        ("base_fingerprint", receipt.base_fingerprint or unknown),
        ("adapter_fingerprint", receipt.adapter_fingerprint or nothing),
        ("data_fingerprint", receipt.data_fingerprint or unknown),
    ]


def _row(name: str, values: list[str], language: str, *, span: int = 1) -> str:
    cells = "".join(f'<td colspan="{span}">{escape(value)}</td>' for value in values)
    return f'<tr><th scope="row">{say(f"receipt_{name}", language)}</th>{cells}</tr>'
