"""A correct row beside a broken one -> HTML: the verdict, each fault's symptom and remedy, the labels that changed."""

from collections.abc import Sequence
from html import escape

from newsft.encoding.tokens import Token
from newsft.lessons.faults import Faults
from newsft.page.html.tokens import format_tokens
from newsft.page.texts import lesson, say


def format_verdicts(findings: Sequence[tuple[str, dict]], *, language: str) -> str:
    """What is wrong with the row, a sentence each; `findings` are names of verdicts with their figures."""
    words = lesson("verdicts", language)
    fine = findings[0][0] == "fine"  # then a second one says that the faults that are on change nothing here
    if fine and len(findings) > 1:
        word = "lab_unchanged"
    else:
        word = "lab_fine" if fine else "lab_broken"
    said = "".join(f"<li>{escape(words[name].format(**values))}</li>" for name, values in findings)
    sign = "✓" if fine else "✗"
    return f'<div class="verdict {"holds" if fine else "fails"}" role="status"><strong><span aria-hidden="true">{sign}</span> {say(word, language)}</strong><ul>{said}</ul></div>'


def format_lesson(faults: Faults, *, language: str) -> str:
    """For every fault that is on: what it does, what one would see, how to notice it, the public reports, the code."""
    cards = []
    for name in faults.active:
        words = lesson(name, language)
        report = f"<dt>{say('lab_report', language)}</dt><dd>{escape(words['report'])}</dd>" if words["report"] else ""
        cards.append(
            f'<article class="fault"><h4>{escape(words["switch"])}</h4><p>{format_code(words["what"])}</p><dl>'
            f"<dt>{say('lab_symptom', language)}</dt><dd>{format_code(words['symptom'])}</dd><dt>{say('lab_notice', language)}</dt><dd>{format_code(words['notice'])}</dd>{report}</dl>"
            f"<details><summary>{say('lab_code', language)}</summary><pre>{escape(words['code'].strip())}</pre></details></article>"
        )
    return f'<div class="faults">{"".join(cards)}</div>'


def format_pair(before: Sequence[Token], after: Sequence[Token], *, lost: Sequence[int], changed: Sequence[int], language: str) -> str:
    """The correct row over the broken one, what changed marked in both: in the first what is lost, in the second what is other."""
    panes = []
    for name, tokens, marked in (("before", before, lost), ("after", after, changed)):
        trained = sum(token.label >= 0 for token in tokens)
        head = say(f"lab_{name}" if name == "before" or lost or changed else "lab_after_same", language, all=f"{len(tokens):,}", trained=f"{trained:,}")
        panes.append(f'<section class="pane {name}"><h4>{head}</h4>{format_tokens(tokens, language=language, name=name, marked=frozenset(marked), passport=False, label=head)}</section>')
    return f'<div class="pair">{"".join(panes)}<aside class="passport" aria-live="polite"><h4>{say("passport", language)}</h4><p>{say("passport_hint", language)}</p></aside></div>'


def format_proof(results: Sequence[tuple[str, list[float], float]], *, language: str) -> str:
    """Two training steps each, on the correct and on the broken row: losses and how far the adapter moved."""
    rows = "".join(
        f'<tr><th scope="row">{say("lab_row_" + name, language)}</th>{"".join(f"<td>{loss:.4f}</td>" for loss in losses)}<td>{moved:.2e}</td><td>{say("proof_moved" if moved else "proof_still", language)}</td></tr>'
        for name, losses, moved in results
    )
    heads = "".join(f'<th scope="col">{say("proof_head_" + name, language)}</th>' for name in ("row", "first", "second", "moved", "verdict"))
    return f'<div class="scroll" tabindex="0" role="region" aria-label="{say("proof", language)}"><table class="proof"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def format_code(text: str) -> str:
    """Escaped text with `backticks` as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
