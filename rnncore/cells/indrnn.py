"""The independently recurrent network (Li et al. 2018)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, check_array
from rnncore.cell import InputCell, Others
from rnncore.recurrence import State

__all__ = ["IndRNN"]


@dataclass(frozen=True)
class IndRNN(InputCell):
    """Each unit sees the input and its own past, none sees another's: a vector in place of the recurrent matrix.

        h' = φ(x W + b + u ⊙ h)

    Shapes: x (B, D), h (B, H); W (D, H), b (H,), u (H,). State: (h,). Output: h.

    φ is relu unless told: relu, tanh, sigmoid or identity. Units meet in the next layer. The gradient over T steps
    holds u^T, so the paper keeps |u| ≤ γ^(1/T), γ about 2, by clipping u after each update; that is the caller's.
    torchrecurrent's IndRNNCell (tanh unless told) is this cell with W = weight_ih.T, u = vector_u and
    b = bias_ih + bias_hh.

    Paper: S. Li, W. Li, C. Cook, C. Zhu, Y. Gao, Independently recurrent neural network (IndRNN): building a longer and
    deeper RNN, arXiv 1803.04831, 2018.
    """

    u: Array
    activation: str = tree.static(default="relu")

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "relu",
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, zero b, u uniform in 0 … 1: memories of all lengths."""
        W = init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype)
        return cls(W, np.zeros(hidden_size, dtype=dtype), rng.uniform(0, 1, hidden_size).astype(dtype), activation)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("IndRNN", "u", self.u, (self.W.shape[1],), self.W)
        activation_pair("IndRNN", self.activation)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.u.shape,)

    def pointwise(self, wx: Array, state: State) -> tuple[State, tuple[Array, Array]]:
        phi, _ = activation_pair("IndRNN", self.activation)
        (h,) = state
        h_new = phi(wx + self.u * h)
        return (h_new,), (h, h_new)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, Array]) -> tuple[Array, State, Others]:
        _, derivative = activation_pair("IndRNN", self.activation)
        h, h_new = cache
        da = dstate[0] * derivative(h_new)
        return da, (da * self.u,), {"u": da * h}
