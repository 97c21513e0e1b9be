"""The recurrent additive network (Lee, Levy and Zettlemoyer 2017)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, check_array, check_finite, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["RAN"]


@dataclass(frozen=True)
class RAN(AffineCell):
    """Recurrent additive network: what the gates add up is linear in the inputs, so c is a weighted sum of them.

        i_x, f_x, u = split(x W + b);  i_h, f_h = split(h U)
        i = σ(i_x + i_h),  f = σ(f_x + f_h)
        c' = i ⊙ u + f ⊙ c
        h' = φ(c')

    Shapes: x (B, D), h and c (B, H); W (D, 3H), b (3H,), gates in the order i f u; U (H, 2H). State: (h, c). Output: h.

    φ is tanh unless told; the paper also uses the identity. The u of the paper (written c̃) has no bias; this one has,
    zero at first. torchrecurrent's RANCell has none either, and the gates in the order u i f.

    Paper: K. Lee, O. Levy, L. Zettlemoyer, Recurrent additive networks, arXiv 1705.07393, 2017.
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
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; zero b, but `forget_bias` for f."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        b[hidden_size : 2 * hidden_size] = check_finite("RAN", "forget_bias", forget_bias)
        return cls(W, U[:, : 2 * hidden_size].copy(), b, activation)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("RAN", "U", self.U, (hidden_size, 2 * hidden_size), self.W)
        check_array("RAN", "W", self.W, (self.W.shape[0], 3 * hidden_size), self.W)
        activation_pair("RAN", self.activation)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        phi, _ = activation_pair("RAN", self.activation)
        _, c = state
        gates = uh.shape[-1]
        i, f = split(sigmoid(wx[..., :gates] + uh), 2)
        u = wx[..., gates:]
        c_new = i * u + f * c
        h = phi(c_new)
        return (h, c_new), (c, i, f, u, h)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        _, derivative = activation_pair("RAN", self.activation)
        dh, dc = dstate
        c, i, f, u, h = cache
        dc = dc + dh * derivative(h)
        di, df = dc * u * i * (1 - i), dc * c * f * (1 - f)
        return concat(di, df, dc * i), concat(di, df), (0, dc * f), {}
