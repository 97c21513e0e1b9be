"""The chaos-free network (Laurent and von Brecht 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["CFN"]


@dataclass(frozen=True)
class CFN(AffineCell):
    """The chaos-free network: without input every unit decays to zero, so that nothing chaotic can arise.

        θ_x, η_x, v = split(x W + b);  θ_h, η_h = split(h U)
        θ = σ(θ_x + θ_h),  η = σ(η_x + η_h)
        h' = θ ⊙ tanh(h) + η ⊙ tanh(v)

    Shapes: x (B, D), h (B, H); W (D, 3H), b (3H,), gates in the order θ η v; U (H, 2H). State: (h,). Output: h.

    The v of the paper has no bias; this one has, zero at first: where it is not, the units come to rest elsewhere.
    torchrecurrent's CFNCell is this cell with W = weight_ih.T, U = weight_hh.T, and b = bias_ih with bias_hh added to
    its first two thirds.

    Paper: T. Laurent, J. von Brecht, A recurrent neural network without chaos, arXiv 1612.06212, 2016.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; b is 1 for θ, -1 for η, as in the paper."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        b[:hidden_size], b[hidden_size : 2 * hidden_size] = 1, -1
        return cls(W, U[:, : 2 * hidden_size].copy(), b)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("CFN", "U", self.U, (hidden_size, 2 * hidden_size), self.W)
        check_array("CFN", "W", self.W, (self.W.shape[0], 3 * hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, gates = array_namespace(wx), uh.shape[-1]
        theta, eta = split(sigmoid(wx[..., :gates] + uh), 2)
        v, tanh_h = xp.tanh(wx[..., gates:]), xp.tanh(state[0])
        return (theta * tanh_h + eta * v,), (theta, eta, v, tanh_h)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        theta, eta, v, tanh_h = cache
        dtheta, deta = dh * tanh_h * theta * (1 - theta), dh * v * eta * (1 - eta)
        dwx = concat(dtheta, deta, dh * eta * (1 - v * v))
        return dwx, concat(dtheta, deta), (dh * theta * (1 - tanh_h * tanh_h),), {}
