"""The update gate RNN (Collins, Sohl-Dickstein and Sussillo 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, check_finite, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["UGRNN"]


@dataclass(frozen=True)
class UGRNN(AffineCell):
    """The update gate RNN: one gate decides whether a unit keeps its value or computes a new one.

        a_c, a_g = split(x W + h U + b)
        g = σ(a_g)
        h' = g ⊙ h + (1 - g) ⊙ φ(a_c)

    Shapes: x (B, D), h (B, H); W (D, 2H), U (H, 2H), b (2H,), gates in the order c g. State: (h,). Output: h.

    φ is tanh unless told: tanh, relu, sigmoid or identity. torchrecurrent's UGRNNCell is this cell with
    W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh. TensorFlow's UGRNNCell has the gates in the order g c,
    and adds its forget_bias in every step.

    Paper: J. Collins, J. Sohl-Dickstein, D. Sussillo, Capacity and trainability in recurrent neural networks,
    arXiv 1611.09913, 2016.
    """

    activation: str = tree.static(default="tanh")

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; zero b, but `forget_bias` for g."""
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        b[hidden_size:] = check_finite("UGRNN", "forget_bias", forget_bias)
        return cls(W, U, b, activation)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(2)
        activation_pair("UGRNN", self.activation)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        phi, _ = activation_pair("UGRNN", self.activation)
        (h,) = state
        c, g = split(wx + uh, 2)
        c, g = phi(c), sigmoid(g)
        return (c + g * (h - c),), (h, c, g)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        _, derivative = activation_pair("UGRNN", self.activation)
        (dh,) = dstate
        h, c, g = cache
        da = concat(dh * (1 - g) * derivative(c), dh * (h - c) * g * (1 - g))
        return da, da, (dh * g,), {}
