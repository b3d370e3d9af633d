"""A correct row beside a broken one -> HTML: the verdict, each fault's symptom and remedy, the labels that changed."""

from collections.abc import Sequence
from html import escape

from newsft.encoding.tokens import Token
from newsft.lessons.faults import Faults
from newsft.page.html.table import format_table
from newsft.page.html.tokens import count_trained, format_pair, format_pane
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


def format_rows(
    before: Sequence[Token], after: Sequence[Token], *, lost: Sequence[int], changed: Sequence[int], language: str
) -> str:
    """The correct row over the broken one, what changed marked in both: in the first what is lost, in the second what is other."""
    panes = []
    for name, tokens, marked in (("before", before, lost), ("after", after, changed)):
        key = "lab_before" if name == "before" else "lab_after" if lost or changed else "lab_after_same"
        panes.append(
            format_pane(name, say(key, language, **count_trained(tokens)), tokens, marked=marked, language=language)
        )
    return format_pair(panes, language=language)


def format_proof(results: Sequence[tuple[str, list[float], float]], *, language: str) -> str:
    """Two training steps each, on the correct and on the broken row: losses and how far the adapter moved."""
    rows = []
    for name, losses, moved in results:
        verdict = say("proof_moved" if moved else "proof_still", language)
        rows.append([say(f"lab_row_{name}", language), *(f"{loss:.4f}" for loss in losses), f"{moved:.2e}", verdict])
    heads = [say(f"proof_head_{name}", language) for name in ("row", "first", "second", "moved", "verdict")]
    return format_table(heads, rows, kind="proof", label=say("proof", language))


def format_code(text: str) -> str:
    """Escaped text with `backticks` as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
