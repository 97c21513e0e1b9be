"""The LSTM whose input and forget gates are one (Greff et al. 2015)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore.backend import Array, array_namespace, concat, sigmoid, split
from rnncore.cell import Others
from rnncore.cells.lstm import MemoryCell
from rnncore.recurrence import State

__all__ = ["CoupledLSTM"]


@dataclass(frozen=True)
class CoupledLSTM(MemoryCell):
    """Coupled input and forget gate (CIFG): what is forgotten makes room for as much that is new.

        a_f, a_g, a_o = split(x W + h U + b)
        f, o = σ(a_f), σ(a_o);  g = tanh(a_g)
        c' = f ⊙ c + (1 - f) ⊙ g
        h' = o ⊙ tanh(c')

    Shapes: x (B, D), h and c (B, H); W (D, 3H), U (H, 3H), b (3H,), gates in the order f g o. State: (h, c).
    Output: h. The paper's cell has peepholes besides; this one has none.

    Paper: K. Greff, R. K. Srivastava, J. Koutník, B. R. Steunebrink, J. Schmidhuber, LSTM: a search space odyssey,
    arXiv 1503.04069, 2015.
    """

    gates = 3
    forget_gate = 0

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; zero b, but `forget_bias` for f."""
        return cls(*cls._weights(rng, input_size, hidden_size, forget_bias, dtype))

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, c) = array_namespace(wx), state
        f, g, o = split(wx + uh, 3)
        f, g, o = sigmoid(f), xp.tanh(g), sigmoid(o)
        c_new = g + f * (c - g)
        tanh_c = xp.tanh(c_new)
        return (o * tanh_c, c_new), (c, f, g, o, tanh_c)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        c, f, g, o, tanh_c = cache
        dc = dc + dh * o * (1 - tanh_c * tanh_c)
        da = concat(dc * (c - g) * f * (1 - f), dc * (1 - f) * (1 - g * g), dh * tanh_c * o * (1 - o))
        return da, da, (0, dc * f), {}
