"""Tables -> HTML."""

from collections.abc import Sequence


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, kind: str = "", label: str = "") -> str:
    """A table that scrolls sideways where there is no room; `heads` and cells are HTML, the first cell of a row is its heading.

    A row with one other cell has it span all columns. With a `label`, which screen readers say, the keyboard can scroll it too.
    """
    head = "".join(f'<th scope="col">{text}</th>' if text else "<th></th>" for text in heads)
    body = "".join(_row(heading, cells, len(heads) - 1) for heading, *cells in rows)
    region = f' tabindex="0" role="region" aria-label="{label}"' if label else ""
    look = f' class="{kind}"' if kind else ""
    return f'<div class="scroll"{region}><table{look}><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(heading: str, cells: Sequence[str], columns: int) -> str:
    span = f' colspan="{columns}"' if len(cells) == 1 < columns else ""
    return f'<tr><th scope="row">{heading}</th>{"".join(f"<td{span}>{cell}</td>" for cell in cells)}</tr>'
