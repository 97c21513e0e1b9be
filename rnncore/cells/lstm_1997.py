"""The first LSTM, without a forget gate (Hochreiter and Schmidhuber 1997)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, concat, sigmoid, split
from rnncore.cell import Others
from rnncore.cells.lstm import MemoryCell
from rnncore.recurrence import State

__all__ = ["LSTM1997"]


@dataclass(frozen=True)
class LSTM1997(MemoryCell):
    """LSTM without a forget gate: the cell state only ever adds up, and its gradient passes unchanged.

        a_i, a_g, a_o = split(x W + h U + b)
        i, o = σ(a_i), σ(a_o);  g = tanh(a_g)
        c' = c + i ⊙ g
        h' = o ⊙ tanh(c')

    Shapes: x (B, D), h and c (B, H); W (D, 3H), U (H, 3H), b (3H,), gates in the order i g o. State: (h, c). Output: h.

    The paper squashes g to (-2, 2) and c' to (-1, 1) with logistic functions, and truncates the gradient so that it
    flows back through c alone; here both are tanh, and the gradient is the whole one.

    Paper: S. Hochreiter, J. Schmidhuber, Long short-term memory, Neural Computation 9, 1997.
    """

    gates = 3

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; zero b."""
        return cls(*init.gates(rng, input_size, hidden_size, cls.gates, dtype=dtype))

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, c) = array_namespace(wx), state
        i, g, o = split(wx + uh, 3)
        i, g, o = sigmoid(i), xp.tanh(g), sigmoid(o)
        c_new = c + i * g
        tanh_c = xp.tanh(c_new)
        return (o * tanh_c, c_new), (i, g, o, tanh_c)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        i, g, o, tanh_c = cache
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        da = concat(dc * g * i * (1 - i), dc * i * (1 - g * g), dh * tanh_c * o * (1 - o))
        return da, da, (0, dc), {}
