"""The LSTM whose gates see the cell state (Gers, Schraudolph and Schmidhuber 2002)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import Others
from rnncore.cells.lstm import MemoryCell
from rnncore.recurrence import State

__all__ = ["PeepholeLSTM", "peephole_lstm", "peephole_lstm_backward"]


def peephole_lstm(a: Array, c: Array, p: Array) -> tuple[Array, Array, tuple[Array, ...]]:
    """From a (B, 4H), the old c (B, H) and peepholes p (3H,): o ⊙ tanh(c'), the new c', and a cache."""
    xp = array_namespace(a)
    i, f, g, o = split(a, 4)
    p_i, p_f, p_o = split(p, 3)
    i, f, g = sigmoid(i + p_i * c), sigmoid(f + p_f * c), xp.tanh(g)
    c_new = f * c + i * g
    o, tanh_c = sigmoid(o + p_o * c_new), xp.tanh(c_new)
    return o * tanh_c, c_new, (c, c_new, i, f, g, o, tanh_c)


def peephole_lstm_backward(dh: Array, dc: Array, p: Array, cache: tuple[Array, ...]) -> tuple[Array, Array, Array]:
    """The derivative of `peephole_lstm`: gradients of a, of the old c and, row by row, of p."""
    c, c_new, i, f, g, o, tanh_c = cache
    p_i, p_f, p_o = split(p, 3)
    do = dh * tanh_c * o * (1 - o)
    dc = dc + dh * o * (1 - tanh_c * tanh_c) + do * p_o
    di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
    return concat(di, df, dg, do), dc * f + di * p_i + df * p_f, concat(di * c, df * c, do * c_new)


@dataclass(frozen=True)
class PeepholeLSTM(MemoryCell):
    """LSTM with peepholes: i and f see the old cell state, o the new one, each unit its own.

        a_i, a_f, a_g, a_o = split(x W + h U + b);  p_i, p_f, p_o = split(p)
        i = σ(a_i + p_i ⊙ c),  f = σ(a_f + p_f ⊙ c),  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        o = σ(a_o + p_o ⊙ c')
        h' = o ⊙ tanh(c')

    Shapes: x (B, D), h and c (B, H); W (D, 4H), U (H, 4H), b (4H,), gates in the order i f g o; p (3H,), in the order
    i f o. State: (h, c). Output: h.

    Paper: F. A. Gers, N. N. Schraudolph, J. Schmidhuber, Learning precise timing with LSTM recurrent networks, Journal
    of Machine Learning Research 3, 2002.
    """

    p: Array

    gates = 4
    forget_gate = 1

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
        """As LSTM.init; zero peepholes."""
        return cls(
            *cls._weights(rng, input_size, hidden_size, forget_bias, dtype), np.zeros(3 * hidden_size, dtype=dtype)
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("PeepholeLSTM", "p", self.p, (3 * self.U.shape[0],), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        h, c, cache = peephole_lstm(wx + uh, state[1], self.p)
        return (h, c), cache

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        da, dc, dp = peephole_lstm_backward(dh, dc, self.p, cache)
        return da, da, (0, dc), {"p": dp}
