"""What the checks of several exercises on Elman's network share."""

from typing import Any

import numpy as np

from rnncore import Elman

NO_BIAS = "the bias b is forgotten"
U_TRANSPOSED = "U is transposed: row i of U holds what unit i sends, so it is h @ U"


def made_by(x: Any, h_old: Any, h: Any, W: Any, U: Any) -> Elman:
    """The cell that made h; its bias is not among the student's arguments."""
    return Elman(W, U, (np.arctanh(h) - x @ W - h_old @ U)[0])


def outputs_and_state(result: tuple[Any, ...]) -> tuple[Any, Any]:
    """Of what a cell's `forward` returns: the outputs, and the one array of the final state."""
    hs, (h_last,), _ = result
    return hs, h_last
