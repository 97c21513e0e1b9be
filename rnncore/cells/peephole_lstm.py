"""The LSTM whose gates see the cell state (Gers, Schraudolph and Schmidhuber 2002)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import Others
from rnncore.cells.lstm import MemoryCell
from rnncore.recurrence import State

__all__ = ["PeepholeLSTM"]


@dataclass(frozen=True)
class PeepholeLSTM(MemoryCell):
    """LSTM with peepholes: i and f see the old cell state, o the new one, each unit its own.

        i, f, g, o = split(x W + h U + b);  p_i, p_f, p_o = split(p)
        c' = σ(f + p_f ⊙ c) ⊙ c + σ(i + p_i ⊙ c) ⊙ tanh(g)
        h' = σ(o + p_o ⊙ c') ⊙ tanh(c')

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
        xp, (_, c) = array_namespace(wx), state
        i, f, g, o = split(wx + uh, 4)
        p_i, p_f, p_o = split(self.p, 3)
        i, f, g = sigmoid(i + p_i * c), sigmoid(f + p_f * c), xp.tanh(g)
        c_new = f * c + i * g
        o, tanh_c = sigmoid(o + p_o * c_new), xp.tanh(c_new)
        return (o * tanh_c, c_new), (c, c_new, i, f, g, o, tanh_c)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        c, c_new, i, f, g, o, tanh_c = cache
        p_i, p_f, p_o = split(self.p, 3)
        do = dh * tanh_c * o * (1 - o)
        dc = dc + dh * o * (1 - tanh_c * tanh_c) + do * p_o
        di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
        da = concat(di, df, dg, do)
        dp = concat(di * c, df * c, do * c_new)
        return da, da, (0, dc * f + di * p_i + df * p_f), {"p": dp}
