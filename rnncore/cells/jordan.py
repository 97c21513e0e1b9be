"""The Jordan network (Jordan 1986)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, check_array
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["Jordan"]


@dataclass(frozen=True)
class Jordan(AffineCell):
    """The Jordan cell: what comes back is the output, not the hidden layer.

        h = φ(x W + y U + b)
        y' = g(h V + c)

    Shapes: x (B, D), y (B, K), h (B, H); W (D, H), U (K, H), b (H,), V (H, K), c (K,). State: (y,). Output: y.

    φ is tanh and g the identity unless told. Jordan's state units also kept a decaying trace of themselves,
    s' = α s + y; this is the common form, α = 0.

    Paper: M. I. Jordan, Serial order: a parallel distributed processing approach, ICS Report 8604, UCSD, 1986.
    """

    V: Array
    c: Array
    activation: str = tree.static(default="tanh")
    output_activation: str = tree.static(default="identity")

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        output_size: int | None = None,
        *,
        activation: str = "tanh",
        output_activation: str = "identity",
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and V, (semi-)orthogonal U, zero b and c; `output_size` is `hidden_size` unless told."""
        output_size = hidden_size if output_size is None else output_size
        return cls(
            W=init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype),
            U=init.orthogonal(rng, output_size, hidden_size, dtype=dtype),
            b=np.zeros(hidden_size, dtype=dtype),
            V=init.glorot_uniform(rng, hidden_size, output_size, dtype=dtype),
            c=np.zeros(output_size, dtype=dtype),
            activation=activation,
            output_activation=output_activation,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("Jordan", "U", self.U, ("K", self.W.shape[1]), self.W)
        check_array("Jordan", "V", self.V, (self.W.shape[1], self.U.shape[0]), self.W)
        check_array("Jordan", "c", self.c, (self.U.shape[0],), self.W)
        activation_pair("Jordan", self.activation)
        activation_pair("Jordan", self.output_activation)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, Array]]:
        phi, _ = activation_pair("Jordan", self.activation)
        g, _ = activation_pair("Jordan", self.output_activation)
        h = phi(wx + uh)
        y = g(h @ self.V + self.c)
        return (y,), (h, y)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, Array]) -> tuple[Array, Array, State, Others]:
        h, y = cache
        _, phi_derivative = activation_pair("Jordan", self.activation)
        _, g_derivative = activation_pair("Jordan", self.output_activation)
        do = dstate[0] * g_derivative(y)
        da = (do @ self.V.T) * phi_derivative(h)
        return da, da, (0,), {"V": Product(h, do), "c": do}
