"""What could come next at one place of an answer -> HTML: the tokens around it, and the likeliest of each side with their probabilities."""

from collections.abc import Sequence
from html import escape

from newsft.encoding.candidates import Candidate, read_candidate
from newsft.encoding.chat import ChatFormat
from newsft.inference.types import NextTokens
from newsft.page.html.tokens import show_text
from newsft.page.texts import say

AROUND = 6  # tokens shown before and behind the place


def format_place(seen: NextTokens, place: int, chat: ChatFormat, *, language: str) -> str:
    """The place number `place`, counted from 0, of an answer whose tokens `chat` reads."""
    written = seen.ids[place] if place < len(seen.ids) else None
    key = "next_place_end" if written is None else "next_place"
    figures = {"place": f"{place + 1:,}", "all": f"{len(seen.ids) + 1:,}"}
    head = f'<p class="where" role="status">{say(key, language, **figures)} {_say_parting(seen, language)}</p>'
    tables = "".join(_table(seen, side, place, written, chat, language) for side in seen.likeliest)
    return f'<div class="next">{head}{_around(seen.ids, place, chat, language)}<div class="sides">{tables}</div></div>'


def _say_parting(seen: NextTokens, language: str) -> str:
    return (
        say("next_never", language) if seen.parts is None else say("next_parts", language, place=f"{seen.parts + 1:,}")
    )


def _around(ids: Sequence[int], place: int, chat: ChatFormat, language: str) -> str:
    """The tokens as they were written, the one at the place marked; behind the last one the place is empty."""
    first, last = max(place - AROUND, 0), min(place + AROUND + 1, len(ids))
    chips = [_chip(read_candidate(chat, ids[i], ids[:i]), language, now=i == place) for i in range(first, last)]
    chips += [f'<b class="now">{say("next_end", language)}</b>'] if place == len(ids) else []
    before, behind = "… " if first else "", " …" if last < len(ids) else ""
    return f'<p class="written" lang="ko">{before}{"".join(chips)}{behind}</p>'


def _table(seen: NextTokens, side: str, place: int, written: int | None, chat: ChatFormat, language: str) -> str:
    tokens, chances = (column[place].tolist() for column in seen.likeliest[side])
    rows = "".join(
        _row(read_candidate(chat, token, seen.ids[:place]), chance, token == written, language)
        for token, chance in zip(tokens, chances, strict=True)
    )
    heads = "".join(f'<th scope="col">{say(name, language)}</th>' for name in ("next_token", "next_chance"))
    return f"<table class='{side}'><caption>{say(side, language)}</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _row(candidate: Candidate, chance: float, is_written: bool, language: str) -> str:
    mark = f" <small>✓ {say('next_written', language)}</small>" if is_written else ""
    said = f"{chance * 100:.1f} %" if chance >= 0.0005 else "&lt; 0.1 %"
    bar = f'<span class="share" aria-hidden="true" style="width:{chance * 100:.1f}%"></span>'
    return f"<tr><td>{_chip(candidate, language)}{mark}</td><td>{said}{bar}</td></tr>"


def _chip(candidate: Candidate, language: str, *, now: bool = False) -> str:
    kind = "now" if now else "control" if candidate.control else ""
    name = "b" if now else "span"
    return f'<{name} class="{kind}" title="id {candidate.id}">{_text(candidate, language)}</{name}>'


def _text(candidate: Candidate, language: str) -> str:
    if candidate.text is not None:
        return escape(show_text(candidate.text))
    part = f"→ {escape(candidate.completes)}" if candidate.completes else say("token_part_of", language)
    return f"{candidate.bytes.hex(' ').upper()} <small>{part}</small>"
