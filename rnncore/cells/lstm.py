"""The LSTM with a forget gate (Gers, Schmidhuber and Cummins 2000)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_finite, concat, sigmoid, split
from rnncore.cell import AffineCell
from rnncore.recurrence import State

__all__ = ["LSTM"]


@dataclass(frozen=True)
class LSTM(AffineCell):
    """Long short-term memory: gates decide what the cell state takes in, keeps and shows.

        i, f, g, o = split(x W + h U + b)
        c' = σ(f) ⊙ c + σ(i) ⊙ tanh(g)
        h' = σ(o) ⊙ tanh(c')

    Shapes: x (B, D), h and c (B, H); W (D, 4H), U (H, 4H), b (4H,), gates in the order i f g o. State: (h, c).
    Output: h.

    torch.nn.LSTM is this cell with W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh. No peepholes.

    Paper: F. A. Gers, J. Schmidhuber, F. Cummins, Learning to forget: continual prediction with LSTM, Neural
    Computation 12, 2000.
    """

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
        W, U, b = init.gates(rng, input_size, hidden_size, 4, dtype=dtype)
        b[hidden_size : 2 * hidden_size] = check_finite("LSTM", "forget_bias", forget_bias)
        return cls(W, U, b)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(4)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, c) = array_namespace(wx), state
        i, f, g, o = split(wx + uh, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), xp.tanh(g), sigmoid(o)
        c_new = f * c + i * g
        tanh_c = xp.tanh(c_new)
        return (o * tanh_c, c_new), (c, i, f, g, o, tanh_c)

    def pointwise_backward(
        self, dstate: State, cache: tuple[Array, ...]
    ) -> tuple[Array, Array, State, dict[str, Array]]:
        dh, dc = dstate
        c, i, f, g, o, tanh_c = cache
        dc = dc + dh * o * (1 - tanh_c * tanh_c)  # c' reaches the loss through h' as well
        da = concat(
            dc * g * i * (1 - i),
            dc * c * f * (1 - f),
            dc * i * (1 - g * g),
            dh * tanh_c * o * (1 - o),
        )
        return da, da, (0, dc * f), {}
