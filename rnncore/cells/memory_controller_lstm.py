"""The LSTM with a memory controller (Ben-Ari and Shwartz-Ziv 2017)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, check_finite, concat, sigmoid, split
from rnncore.cell import InputCell, Others, Product
from rnncore.recurrence import State

__all__ = ["MemoryControllerLSTM"]


@dataclass(frozen=True)
class MemoryControllerLSTM(InputCell):
    """LSTM that says one thing and tells itself another: a control vector v comes back in the output's place.

        a_i, a_f, a_g, a_o, a_m = split(x W + v U + b)
        i, f, o, m = σ(a_i), σ(a_f), σ(a_o), σ(a_m);  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')
        v' = m ⊙ tanh(c')

    Shapes: x (B, D), h, v and c (B, H); W (D, 5H), U (H, 5H), b (5H,), gates in the order i f g o m. State: (h, v, c);
    a step does not read h. Output: h.

    It is no AffineCell because U meets v, not the output. The paper and torchrecurrent call it MC-LSTM, the name of
    the mass-conserving LSTM, which is MCLSTM here. torchrecurrent.MCLSTMCell is this cell with weight_ih, weight_hh and
    bias_ih + bias_hh in its order f i o m g.

    Paper: I. Ben-Ari, R. Shwartz-Ziv, Sequence modeling using a memory controller extension for LSTM, NIPS time series
    workshop, 2017.
    """

    U: Array

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
        W, U, b = init.gates(rng, input_size, hidden_size, 5, dtype=dtype)
        b[hidden_size : 2 * hidden_size] = check_finite("MemoryControllerLSTM", "forget_bias", forget_bias)
        return cls(W, b, U)

    def __post_init__(self) -> None:
        super().__post_init__()
        operation = type(self).__name__
        check_array(operation, "U", self.U, ("H", "5H"), self.W)
        check_array(operation, "U", self.U, (self.U.shape[0], 5 * self.U.shape[0]), self.W)
        check_array(operation, "W", self.W, (self.W.shape[0], 5 * self.U.shape[0]), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1],) * 3

    def pointwise(self, wx: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, v, c) = array_namespace(wx), state
        i, f, g, o, m = split(wx + v @ self.U, 5)
        i, f, g, o, m = sigmoid(i), sigmoid(f), xp.tanh(g), sigmoid(o), sigmoid(m)
        c_new = f * c + i * g
        tanh_c = xp.tanh(c_new)
        return (o * tanh_c, m * tanh_c, c_new), (v, c, i, f, g, o, m, tanh_c)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        dh, dv, dc = dstate
        v, c, i, f, g, o, m, tanh_c = cache
        dc = dc + (dh * o + dv * m) * (1 - tanh_c * tanh_c)
        da = concat(
            dc * g * i * (1 - i),
            dc * c * f * (1 - f),
            dc * i * (1 - g * g),
            dh * tanh_c * o * (1 - o),
            dv * tanh_c * m * (1 - m),
        )
        unread = array_namespace(dh).zeros_like(dh)
        return da, (unread, da @ self.U.T, dc * f), {"U": Product(v, da)}
