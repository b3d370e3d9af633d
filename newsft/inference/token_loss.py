"""What each token of a gold answer costs the base model and the tuned one: one forward pass of two rows, adapter off and on."""

from newsft.encoding.chat import Encoded
from newsft.inference.engine import Engine
from newsft.inference.types import Xray


def take_xray(engine: Engine, encoded: Encoded) -> Xray:
    """The losses of an encoded row on every side the engine has. Raises UserError for a row longer than the model takes."""
    engine.check_length(len(encoded))
    return Xray(encoded, {side: [None, *losses] for side, losses in engine.score(encoded.input_ids).items()})
