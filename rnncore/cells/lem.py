"""Long expressive memory (Rusch et al. 2022)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["LEM"]


@dataclass(frozen=True)
class LEM(AffineCell):
    """Long expressive memory: two states, each with a time step of its own that input and state choose.

        s_x, r_x, g_x, a_x = split(x W + b);  s_y, r_y, g_y = split(y U)
        δ = Δt σ(s_x + s_y),  η = Δt σ(r_x + r_y)
        z' = (1 - δ) ⊙ z + δ ⊙ tanh(g_x + g_y)
        y' = (1 - η) ⊙ y + η ⊙ tanh(a_x + z' U_y)

    Shapes: x (B, D), y and z (B, H); W (D, 4H), U (H, 3H), b (4H,), in the order s r g a; U_y (H, H).
    State: (y, z). Output: y.

    The paper's Δt_n is δ here, its second one η. The product with U_y needs the new z, so it cannot wait for the
    others. torchrecurrent's cell takes the old z there, against the paper and the authors' code; it has r before s.

    Errors: ValueError where Δt (dt) is not a finite number from 0.

    Paper: T. K. Rusch, S. Mishra, N. B. Erichson, M. W. Mahoney, Long expressive memory for sequence modeling,
    arXiv 2110.04744, 2022.
    """

    U_y: Array
    dt: float = tree.static(default=1.0)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        dt: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U and U_y, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 4, dtype=dtype)
        return cls(W, U[:, : 3 * hidden_size].copy(), b, U[:, 3 * hidden_size :].copy(), dt)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("LEM", "U", self.U, (hidden_size, 3 * hidden_size), self.W)
        check_array("LEM", "W", self.W, (self.W.shape[0], 4 * hidden_size), self.W)
        check_array("LEM", "U_y", self.U_y, (hidden_size, hidden_size), self.W)
        self._check_options(dt=0)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (y, z), n = array_namespace(wx), state, state[0].shape[-1]
        gates = sigmoid(wx[:, : 2 * n] + uh[:, : 2 * n])
        steps = self.dt * gates
        delta, eta = split(steps, 2)
        g = xp.tanh(wx[:, 2 * n : 3 * n] + uh[:, 2 * n :])
        z_new = z + delta * (g - z)
        a = xp.tanh(wx[:, 3 * n :] + z_new @ self.U_y)
        return (y + eta * (a - y), z_new), (y, z, gates, steps, g, a, z_new)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dy, dz = dstate
        y, z, gates, steps, g, a, z_new = cache
        delta, eta = split(steps, 2)
        da = dy * eta * (1 - a * a)
        dz = dz + da @ self.U_y.T
        dgates = concat(dz * (g - z), dy * (a - y)) * steps * (1 - gates)
        duh = concat(dgates, dz * delta * (1 - g * g))
        return concat(duh, da), duh, (dy * (1 - eta), dz * (1 - delta)), {"U_y": Product(z_new, da)}
