"""What the checks of several exercises on Elman's network share."""

from typing import Any

import numpy as np

from rnncore import Elman

NO_BIAS = "the bias b is forgotten"
U_TRANSPOSED = "U is transposed: row i of U holds what unit i sends, so it is h @ U"
H0_IGNORED = "h0 is ignored and the network starts from zeros"
U_NOT_TRANSPOSED = "the gradient goes back through U as it stands; on the way back it is U.T"
LAST_BEFORE_FIRST = "hs[t - 1] is used at t = 0, where Python reads it as hs[-1], the last state; it must be h0"
INITIAL_STATES_IGNORED = "the initial states are ignored and zeros stand in their place"
NEVER_UPDATED = "every step starts from h0; the state of one step must be handed to the next"
ONE_STEP_LATE = "hs is one step late: hs[0] must be the state after xs[0], not h0"
NO_CARRY = "the gradient from step t+1 is not added: each step sees its own output alone"
FORWARDS = "the loop runs forward in time; what comes back from step t+1 must be known before step t"
DH_LAST_IGNORED = "dh_last is ignored; it arrives at the last state in addition to dhs[-1]"
DH_LAST_FOR_DHS = "dh_last takes the place of dhs[-1]; at the last step both arrive, and they add up"
DH_LAST_EVERYWHERE = "dh_last is added at every step; it arrives at the last state alone"
OVERWRITTEN = "the gradients of the weights are overwritten at each step; the weights are shared, so they add up"
DHS_THROUGH_TANH = "dhs has passed tanh already; that belongs to the recurrent step, here it is the gradient of h"
MOVED_IN_PLACE = "the given arrays are themselves moved (`-=` writes into them)"


def made_by(x: Any, h_old: Any, h: Any, W: Any, U: Any) -> Elman:
    """The cell that made h; its bias is not among the student's arguments."""
    return Elman(W, U, (np.arctanh(h) - x @ W - h_old @ U)[0])


def outputs_and_state(result: tuple[Any, ...]) -> tuple[Any, Any]:
    """Of what a cell's `forward` returns: the outputs, and the one array of the final state."""
    hs, (h_last,), _ = result
    return hs, h_last
