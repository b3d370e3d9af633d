"""What LoRA adds to a model -> HTML: the matrices of each target drawn, their numbers, and how far each layer has moved."""

from html import escape
from typing import TYPE_CHECKING

from newsft.page.html.table import format_table
from newsft.page.texts import say

if TYPE_CHECKING:  # torch
    from newsft.models.lora import LoraShape, Target

SIDE, THIN = 104, 3  # pixels of the longest side of a matrix, and of one that would be too thin to be seen
BOX = '<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="1"/>'
TEXT = '<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle"{kind}>{text}</text>'


def format_shape(shape: "LoraShape", *, heading: str, language: str) -> str:
    """Every target drawn, and a table of its matrices and parameters."""
    figures = "".join(_draw(target, shape, language) for target in shape.targets)
    heads = [say(f"lora_{name}", language) for name in ("target", "w", "a", "b", "layers", "parameters")]
    rows = [
        [
            f"<code>{escape(target.name)}</code>",
            _size(target.outputs, target.inputs),
            _size(target.rank, target.inputs),
            _size(target.outputs, target.rank),
            str(target.layers),
            f"{target.layers} × {target.rank} × ({target.inputs:,} + {target.outputs:,}) = {target.parameters:,}",
        ]
        for target in shape.targets
    ]
    share = {"trained": shape.parameters, "all": shape.base_parameters}
    share |= {"share": shape.parameters / shape.base_parameters * 100}
    scaling = say("lora_scaling", language, alpha=f"{shape.alpha:g}", rank=shape.rank, scaling=f"{shape.scaling:g}")
    table = format_table(heads, rows, kind="scores", label=escape(heading))
    said = f"<p>{say('lora_share', language, **share)} {scaling}</p>"
    return (
        f'<section class="lora"><h4>{escape(heading)}</h4><div class="matrices">{figures}</div>{said}{table}</section>'
    )


def format_norms(norms: dict[str, dict[int, float]], *, language: str) -> str:
    """The norm of what the adapter adds to W, a line for each layer, a column for each target."""
    largest = max((norm for layers in norms.values() for norm in layers.values()), default=0) or 1
    heads = [say("lora_layer", language), *(f"<code>{escape(name)}</code>" for name in norms)]
    rows = [
        [str(layer), *(_bar(layers[layer], largest) if layer in layers else "–" for layers in norms.values())]
        for layer in sorted({layer for layers in norms.values() for layer in layers})
    ]
    note = say("lora_norms_note", language)
    table = format_table(heads, rows, kind="scores norms", label=say("lora_norms", language))
    return f'<section class="lora"><h4>{say("lora_norms", language)}</h4><p>{note}</p>{table}</section>'


def _bar(norm: float, largest: float) -> str:
    return f'<span class="norm"><span style="width:{norm / largest * 100:.1f}%"></span></span> {norm:.2f}'


def _size(rows: int, columns: int) -> str:
    return f"{rows:,} × {columns:,}"


def _draw(target: "Target", shape: "LoraShape", language: str) -> str:
    """W + alpha / r · B · A, each to scale but for sides that would be too thin."""
    unit = SIDE / max(target.inputs, target.outputs)
    inputs, outputs, rank = (max(side * unit, THIN) for side in (target.inputs, target.outputs, target.rank))
    middle, below = 20 + SIDE / 2, 20 + SIDE + 20
    at_w, at_b, at_a = 64, 218, 300
    boxes = [
        ("base", at_w, inputs, outputs, "W", _size(target.outputs, target.inputs)),
        ("up", at_b, rank, outputs, "B", _size(target.outputs, target.rank)),
        ("down", at_a, inputs, rank, "A", _size(target.rank, target.inputs)),
    ]
    parts = []
    for kind, x, width, height, letter, size in boxes:
        parts.append(BOX.format(kind=kind, x=x - width / 2, y=middle - height / 2, width=width, height=height))
        parts.append(TEXT.format(x=x, y=14, kind=' class="letter"', text=letter))
        parts.append(TEXT.format(x=x, y=below, kind="", text=size))
    parts.append(TEXT.format(x=154, y=middle + 5, kind="", text=f"+ {shape.alpha:g}/{shape.rank} ×"))
    parts.append(TEXT.format(x=238, y=middle + 5, kind="", text="·"))
    said = say(
        "lora_figure",
        language,
        name=target.name,
        w=_size(target.outputs, target.inputs),
        b=_size(target.outputs, target.rank),
        a=_size(target.rank, target.inputs),
    )
    drawing = f'<svg role="img" aria-label="{escape(said)}" viewBox="0 0 364 {below + 8:.0f}">{"".join(parts)}</svg>'
    return f"<figure><figcaption><code>{escape(target.name)}</code></figcaption>{drawing}</figure>"
