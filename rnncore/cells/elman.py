"""The Elman network (Elman 1990)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, check_array
from rnncore.cell import AffineCell, Others
from rnncore.kernels.cpu import ElmanKernel
from rnncore.recurrence import State

__all__ = ["Elman"]


@dataclass(frozen=True)
class Elman(AffineCell):
    """The Elman cell: the new state is an activation of the input and the old state.

        a = x W + h U + b
        h' = φ(a)

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,). State: (h,). Output: h.

    φ is tanh unless told: tanh, relu, sigmoid or identity. torch.nn.RNN is this cell with W = weight_ih.T,
    U = weight_hh.T and b = bias_ih + bias_hh. Elman's own network used the logistic function, and a readout of the
    hidden state, which is `rnncore.layers.Dense` here.

    Paper: J. L. Elman, Finding structure in time, Cognitive Science 14, 1990.
    """

    activation: str = tree.static(default="tanh")

    kernel = ElmanKernel()

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U, zero b. ValueError for a size below one or an unknown activation."""
        return cls(
            W=init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype),
            U=init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype),
            b=np.zeros(hidden_size, dtype=dtype),
            activation=activation,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("Elman", "U", self.U, (self.W.shape[1], self.W.shape[1]), self.W)
        activation_pair("Elman", self.activation)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Array]:
        phi, _ = activation_pair("Elman", self.activation)
        h = phi(wx + uh)
        return (h,), h

    def pointwise_backward(self, dstate: State, cache: Array) -> tuple[Array, Array, State, Others]:
        _, derivative = activation_pair("Elman", self.activation)
        da = dstate[0] * derivative(cache)
        return da, da, (0,), {}
