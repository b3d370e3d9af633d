"""What each token of a gold answer costs the base model and the tuned one: one forward pass of two rows, adapter off and on."""

from dataclasses import dataclass
from statistics import fmean

from newsft.chat import IGNORED, Encoded
from newsft.engine import Engine


@dataclass(frozen=True)
class Xray:
    """A row with the loss of every token but the first, in nats; `losses[side][i]` is the cost of predicting token i."""

    encoded: Encoded
    losses: dict[str, list[float | None]]

    def mean(self, side: str, *, prompt_too: bool = False) -> float | None:
        """The mean over the labels, which is what the trainer reports for this row; or over every token, as if the prompt were trained too."""
        found = [loss for loss, label in zip(self.losses[side], self.encoded.labels, strict=True) if loss is not None and (prompt_too or label != IGNORED)]
        return fmean(found) if found else None

    def gains(self) -> list[float | None]:
        """By how much the adapter makes each token cheaper; negative where it makes it dearer."""
        return [None if before is None else before - after for before, after in zip(self.losses["base"], self.losses["tuned"], strict=True)]


def take_xray(engine: Engine, encoded: Encoded) -> Xray:
    """The losses of an encoded row on every side the engine has. Raises UserError for a row longer than the model takes."""
    engine.check_length(len(encoded))
    return Xray(encoded, {side: [None, *losses] for side, losses in engine.score(encoded.input_ids).items()})
