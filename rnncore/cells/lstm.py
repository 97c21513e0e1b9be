"""The LSTM with a forget gate (Gers, Schmidhuber and Cummins 2000), and what its relatives share with it."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_finite, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.kernels.cpu import LSTMKernel
from rnncore.recurrence import State

__all__ = ["LSTM", "MemoryCell", "lstm", "lstm_backward"]


@dataclass(frozen=True)
class MemoryCell(AffineCell):
    """A cell whose state is (h, c), both (B, H), with `gates` gates; abstract."""

    gates: ClassVar[int]
    forget_gate: ClassVar[int]  # its place among the gates

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(self.gates)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    @classmethod
    def _weights(
        cls, rng: np.random.Generator, input_size: int, hidden_size: int, forget_bias: float, dtype: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W, U and b as `init.gates` draws them, with `forget_bias` for the forget gate."""
        W, U, b = init.gates(rng, input_size, hidden_size, cls.gates, dtype=dtype)
        first = cls.forget_gate * hidden_size
        b[first : first + hidden_size] = check_finite(cls.__name__, "forget_bias", forget_bias)
        return W, U, b


def lstm(a: Array, c: Array) -> tuple[Array, Array, tuple[Array, ...]]:
    """From a (B, 4H) and the old c (B, H): o ⊙ tanh(c'), the new c', and a cache."""
    xp = array_namespace(a)
    i, f, g, o = split(a, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), xp.tanh(g), sigmoid(o)
    c_new = f * c + i * g
    tanh_c = xp.tanh(c_new)
    return o * tanh_c, c_new, (c, i, f, g, o, tanh_c)


def lstm_backward(dh: Array, dc: Array, cache: tuple[Array, ...]) -> tuple[Array, Array]:
    """The derivative of `lstm`: gradients of a and of the old c, from those of its two results."""
    c, i, f, g, o, tanh_c = cache
    dc = dc + dh * o * (1 - tanh_c * tanh_c)  # c' reaches the loss through h' as well
    da = concat(
        dc * g * i * (1 - i),
        dc * c * f * (1 - f),
        dc * i * (1 - g * g),
        dh * tanh_c * o * (1 - o),
    )
    return da, dc * f


@dataclass(frozen=True)
class LSTM(MemoryCell):
    """Long short-term memory: gates decide what the cell state takes in, keeps and shows.

        a_i, a_f, a_g, a_o = split(x W + h U + b)
        i, f, o = σ(a_i), σ(a_f), σ(a_o);  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    Shapes: x (B, D), h and c (B, H); W (D, 4H), U (H, 4H), b (4H,), gates in the order i f g o. State: (h, c).
    Output: h.

    torch.nn.LSTM is this cell with W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh. No peepholes.

    Paper: F. A. Gers, J. Schmidhuber, F. Cummins, Learning to forget: continual prediction with LSTM, Neural
    Computation 12, 2000.
    """

    gates = 4
    forget_gate = 1
    kernel = LSTMKernel()

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
        h, c, cache = lstm(wx + uh, state[1])
        return (h, c), cache

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        da, dc = lstm_backward(dh, dc, cache)
        return da, da, (0, dc), {}
