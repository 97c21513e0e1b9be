"""The gated recurrent unit with weighted time-delay feedback (Erichson, Lim and Mahoney 2022)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_whole, concat, sigmoid, split
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["TauGRU"]


@dataclass(frozen=True)
class TauGRU(AffineCell):
    """τ-GRU: beside the candidate from the last state a gated one from the state d steps before it.

        g_x, a_x, u_x, z_x = split(x W + b);  g_h, a_h, u_h = split(h U)
        g = σ(g_x + g_h),  a = σ(a_x + a_h)
        u = tanh(u_x + u_h),  z = tanh(z_x + h_d U_z)
        h' = (1 - g) ⊙ h + g ⊙ (u + a ⊙ z)

    Shapes: x (B, D), h (B, H); W (D, 4H), U (H, 3H), b (4H,), gates in the order g a u z; U_z (H, H).
    State: (h, h_1, …, h_d), each (B, H): the last state and the d before it, the youngest first. Output: h.

    d is `delay`, from 1; the paper chooses it for each task. The delay line is a tuple, so a step moves references and
    copies nothing. torchrecurrent.tauGRUCell is this cell, given h_d, with W and U in its order u z g a; its layer
    starts from a delay line of zeros.

    Paper: N. B. Erichson, S. H. Lim, M. W. Mahoney, Gated recurrent neural networks with weighted time-delay feedback,
    arXiv 2212.00228, 2022.
    """

    U_z: Array
    delay: int = tree.static(default=1)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        delay: int = 1,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U and U_z, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 4, dtype=dtype)
        return cls(W, U[:, : 3 * hidden_size].copy(), b, U[:, 3 * hidden_size :].copy(), delay)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("TauGRU", "U", self.U, (hidden_size, 3 * hidden_size), self.W)
        check_array("TauGRU", "W", self.W, (self.W.shape[0], 4 * hidden_size), self.W)
        check_array("TauGRU", "U_z", self.U_z, (hidden_size, hidden_size), self.W)
        check_whole("TauGRU", "delay", self.delay, 1)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1],) * (self.delay + 1)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, h, h_d = array_namespace(wx), state[0], state[-1]
        g, a, u, z = split(wx + concat(uh, h_d @ self.U_z), 4)
        g, a, u, z = sigmoid(g), sigmoid(a), xp.tanh(u), xp.tanh(z)
        return ((1 - g) * h + g * (u + a * z), *state[:-1]), (h, h_d, g, a, u, z)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, *dpast = dstate
        h, h_d, g, a, u, z = cache
        dg = dh * (u + a * z - h) * g * (1 - g)
        dn = dh * g  # of u + a ⊙ z
        da, du, dz = dn * z * a * (1 - a), dn * (1 - u * u), dn * a * (1 - z * z)
        dwx = concat(dg, da, du, dz)
        dstate = (dh * (1 - g) + dpast[0], *dpast[1:], dz @ self.U_z.T)
        return dwx, dwx[:, : self.U.shape[1]], dstate, {"U_z": Product(h_d, dz)}
