"""What each token of a gold answer costs the base model and the tuned one: one forward pass of two rows, adapter off and on."""

from newsft.encoding.row import Encoded
from newsft.errors import UserError
from newsft.inference.types import ScoringEngine, Xray


def take_xray(engine: ScoringEngine, encoded: Encoded) -> Xray:
    """The losses of an encoded row on every side the engine has. Raises UserError for a row longer than the model takes."""
    tokens, limit = len(encoded), engine.positions
    if tokens > limit:
        message = f"The row has {tokens:,} tokens, the model takes {limit:,}; choose a shorter one."
        raise UserError(message, key="row_beyond_model", count=tokens, limit=limit)
    return Xray(encoded, {side: [None, *losses] for side, losses in engine.score(encoded.input_ids).items()})
