"""The undamped independent controlled oscillatory network (Rusch and Mishra 2021)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, sigmoid
from rnncore.cell import InputCell, Others
from rnncore.recurrence import State

__all__ = ["UnICORNN"]


@dataclass(frozen=True)
class UnICORNN(InputCell):
    """Undamped oscillators, each for itself and with its own learnt time step: y'' = -(tanh(·) + α y).

        δ = Δt σ(c)
        z' = z - δ ⊙ (tanh(x W + w ⊙ y + b) + α y)
        y' = y + δ ⊙ z'

    Shapes: x (B, D), y and z (B, H); W (D, H), b, w and c (H,). State: (y, z). Output: y.

    The step can be undone: from (y', z') follow y, then z. The paper's network stacks such layers, each reading the
    one below at the same step. torchrecurrent's cell is this one with W = weight_ih.T, w = weight_hh, c = weight_ch;
    its documentation writes σ, its code computes tanh.

    Errors: ValueError where Δt (dt) or α is not a finite number from 0.

    Paper: T. K. Rusch, S. Mishra, UnICORNN: a recurrent model for learning very long time dependencies,
    arXiv 2103.05487, 2021.
    """

    w: Array
    c: Array
    dt: float = tree.static(default=0.19)
    alpha: float = tree.static(default=30.65)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        dt: float = 0.19,
        alpha: float = 30.65,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, zero b; w uniform in 0 … 1, c in ±0.1, and Δt and α of permuted MNIST, as the authors'."""
        return cls(
            W=init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype),
            b=np.zeros(hidden_size, dtype=dtype),
            w=init.uniform(rng, 0, 1, hidden_size, dtype=dtype),
            c=init.uniform(rng, -0.1, 0.1, hidden_size, dtype=dtype),
            dt=dt,
            alpha=alpha,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("w", "c"):
            check_array("UnICORNN", name, getattr(self, name), self.b.shape, self.W)
        self._check_options(dt=0, alpha=0)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.b.shape, self.b.shape)

    def pointwise(self, wx: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        y, z = state
        s = sigmoid(self.c)
        a = array_namespace(wx).tanh(wx + self.w * y)
        force = a + self.alpha * y
        z_new = z - self.dt * s * force
        return (y + self.dt * s * z_new, z_new), (y, s, a, force, z_new)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        dy, dz = dstate
        y, s, a, force, z_new = cache
        step = self.dt * s
        dz = dz + step * dy
        dforce = -step * dz
        da = dforce * (1 - a * a)
        dc = (dy * z_new - dz * force) * step * (1 - s)
        return da, (dy + self.alpha * dforce + self.w * da, dz), {"w": da * y, "c": dc}
