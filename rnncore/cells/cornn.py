"""The coupled oscillatory network (Rusch and Mishra 2021)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["CoRNN"]


@dataclass(frozen=True)
class CoRNN(AffineCell):
    """Damped oscillators, driven by the input and by each other: y'' = tanh(·) - γ y - ε y', with velocity z = y'.

        a = tanh(x W + y U + z U_z + b)
        z' = z + Δt (a - γ y - ε z)
        y' = y + Δt z'

    Shapes: x (B, D), y and z (B, H); W (D, H), U and U_z (H, H), b (H,). State: (y, z). Output: y.

    The paper takes the damping at the old velocity or at the new one. The old one, above, is that of its published
    code and of torchrecurrent (W = weight_ih.T, U = weight_hh.T, U_z = weight_ch.T); with `implicit` it is the new
    one, z' = z + Δt (a - γ y - ε z'), that is z' = (z + Δt (a - γ y)) / (1 + Δt ε).

    Errors: ValueError where Δt (dt), γ or ε is not a finite number from 0.

    Paper: T. K. Rusch, S. Mishra, Coupled oscillatory recurrent neural network (coRNN): an accurate and (gradient)
    stable architecture for learning long time dependencies, arXiv 2010.00951, 2021.
    """

    U_z: Array
    dt: float = tree.static(default=0.042)
    gamma: float = tree.static(default=2.7)
    epsilon: float = tree.static(default=4.7)
    implicit: bool = tree.static(default=False)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        dt: float = 0.042,
        gamma: float = 2.7,
        epsilon: float = 4.7,
        implicit: bool = False,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U and U_z, zero b; Δt, γ and ε as in the authors' sequential MNIST."""
        W, U, b = init.gates(rng, input_size, hidden_size, 1, dtype=dtype)
        U_z = init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype)
        return cls(W, U, b, U_z, dt, gamma, epsilon, implicit)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)
        check_array("CoRNN", "U_z", self.U_z, (self.U.shape[0], self.U.shape[0]), self.W)
        self._check_options(dt=0, gamma=0, epsilon=0)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    @property
    def _damping(self) -> tuple[float, float]:
        """z' = keep · z + rate · (a - γ y): keep and rate."""
        loss = self.dt * self.epsilon
        return (1 / (1 + loss), self.dt / (1 + loss)) if self.implicit else (1 - loss, self.dt)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, Array]]:
        (y, z), (keep, rate) = state, self._damping
        a = array_namespace(wx).tanh(wx + uh + z @ self.U_z)
        z_new = keep * z + rate * (a - self.gamma * y)
        return (y + self.dt * z_new, z_new), (z, a)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, Array]) -> tuple[Array, Array, State, Others]:
        (dy, dz), (z, a), (keep, rate) = dstate, cache, self._damping
        dz = dz + self.dt * dy
        dforce = rate * dz
        da = dforce * (1 - a * a)
        return da, da, (dy - self.gamma * dforce, keep * dz + da @ self.U_z.T), {"U_z": Product(z, da)}
