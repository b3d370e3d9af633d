"""What another trainer makes of the row -> HTML: its tokens beside ours, what it adds and leaves out, its limit, and what mends it."""

from collections.abc import Sequence
from html import escape

from newsft.encoding.tokens import Token
from newsft.lessons.trainers import Trainer
from newsft.page.html.lab import format_code
from newsft.page.html.tokens import count_trained, format_pair, format_pane, show_text
from newsft.page.texts import say

LONGEST = 60  # characters of the tokens that a sentence quotes


def format_trainer(
    trainer: Trainer, differences: Sequence[tuple[str, dict]], *, over: dict | None, language: str
) -> str:
    """What the trainer does with the row, in sentences, and the facts of its entry; `over` has the figures of a row over the limit."""
    words = trainer.texts[language]
    told = [("over", over), *differences] if over else differences
    said = [say(f"trainer_{name}", language, **_show_figures(values)) for name, values in told]
    if not differences:
        said.append(say("trainer_refuses" if trainer.refuses else "trainer_left_out", language))
    limit = say("trainer_limit_none", language)
    if trainer.limit:
        limit = say("trainer_limit_tokens", language, limit=f"{trainer.limit:,}")
    facts = {
        "what": format_code(words["what"]),
        "limit": limit if not trainer.refuses else "–",
        "long": format_code(words["long"]),
        "pasted": say(f"trainer_pasted_{trainer.pasted}", language),
        "space": say(f"trainer_space_{trainer.space}", language),
        "mend": format_code(words["mend"]),
        "source": f'<a href="{escape(trainer.source)}" target="_blank" rel="noopener noreferrer">{escape(f"{trainer.name} {trainer.version}")}</a>{escape(f" ({trainer.beside})" if trainer.beside else "")}',
    }
    rows = "".join(f"<dt>{say(f'trainer_head_{name}', language)}</dt><dd>{fact}</dd>" for name, fact in facts.items())
    sentences = "".join(f"<li>{sentence}</li>" for sentence in said)
    return f'<article class="fault trainer"><h4>{escape(trainer.name)} {escape(trainer.version)}: {format_code(words["variant"])}</h4><div role="status"><ul>{sentences}</ul></div><dl>{rows}</dl></article>'


def format_rows(
    trainer: Trainer,
    ours: Sequence[Token],
    theirs: Sequence[Token] | None,
    *,
    lost: Sequence[int],
    changed: Sequence[int],
    language: str,
) -> str:
    """Our row over the trainer's, what differs marked in both; one row where the trainer makes none."""
    panes = []
    for name, tokens, marked in (("ours", ours, lost), ("theirs", theirs, changed)):
        if tokens is None:
            none = f'<p class="none">{say("trainer_no_row", language)}</p>'
            panes.append(f'<section class="pane {name}"><h4>{escape(trainer.name)}</h4>{none}</section>')
        else:
            head = say(f"trainer_row_{name}", language, name=escape(trainer.name), **count_trained(tokens))
            panes.append(format_pane(name, head, tokens, marked=marked, language=language))
    return format_pair(panes, language=language)


def _show_figures(values: dict) -> dict[str, str]:
    return {key: escape(_quote(value)) if key == "text" else f"{value:,}" for key, value in values.items()}


def _quote(text: str) -> str:
    shown = show_text(text)
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST // 2]} … {shown[-LONGEST // 2 :]}"
