"""The minion recurrent unit, in two forms (Zyarah and Kudithipudi 2025)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_finite, concat, sigmoid, split
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["MiRU1", "MiRU2"]


@dataclass(frozen=True)
class MiRU1(AffineCell):
    """A GRU whose update gate is a number, the same for every unit and step.

        r_x, n_x = split(x W + b)
        r = σ(r_x + h U)
        n = tanh(n_x + (r ⊙ h) U_n)
        h' = λ h + (1 - λ) n

    Shapes: x (B, D), h (B, H); W (D, 2H), b (2H,), gates in the order r n; U (H, H), U_n (H, H). State: (h,).
    Output: h.

    λ is `update_coefficient`, in 0 … 1, not trained. torchrecurrent.MiRU1Cell is this cell with W = weight_ih.T,
    U | U_n = weight_hh.T and b = bias_ih + bias_hh.

    Paper: A. M. Zyarah, D. Kudithipudi, Minion gated recurrent unit for continual learning, Neurocomputing 673, arXiv
    2503.06175, 2025.
    """

    U_n: Array
    update_coefficient: float = tree.static(default=0.5)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        update_coefficient: float = 0.5,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U and U_n, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        return cls(W, U[:, :hidden_size].copy(), b, U[:, hidden_size:].copy(), update_coefficient)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("MiRU1", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("MiRU1", "W", self.W, (self.W.shape[0], 2 * hidden_size), self.W)
        check_array("MiRU1", "U_n", self.U_n, (hidden_size, hidden_size), self.W)
        check_finite("MiRU1", "update_coefficient", self.update_coefficient, 0, 1)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        r, n = split(wx, 2)
        r = sigmoid(r + uh)
        n = array_namespace(wx).tanh(n + (r * h) @ self.U_n)
        keep = float(self.update_coefficient)
        return (keep * h + (1 - keep) * n,), (h, r, n)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        h, r, n = cache
        keep = float(self.update_coefficient)
        dn = (1 - keep) * dh * (1 - n * n)
        drh = dn @ self.U_n.T  # of r ⊙ h
        dr = drh * h * r * (1 - r)
        return concat(dr, dn), dr, (keep * dh + drh * r,), {"U_n": Product(r * h, dn)}


@dataclass(frozen=True)
class MiRU2(AffineCell):
    """A GRU whose two gates are two numbers, which leaves an Elman cell with a leak.

        n = tanh(x W + β (h U) + b)
        h' = λ h + (1 - λ) n

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,). State: (h,). Output: h.

    λ is `update_coefficient` and β `reset_coefficient`, both in 0 … 1, not trained. torchrecurrent.MiRU2Cell is this
    cell with W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh.

    Paper: A. M. Zyarah, D. Kudithipudi, Minion gated recurrent unit for continual learning, Neurocomputing 673, arXiv
    2503.06175, 2025.
    """

    update_coefficient: float = tree.static(default=0.5)
    reset_coefficient: float = tree.static(default=0.5)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        update_coefficient: float = 0.5,
        reset_coefficient: float = 0.5,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U, zero b."""
        return cls(*init.gates(rng, input_size, hidden_size, 1, dtype=dtype), update_coefficient, reset_coefficient)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)
        check_finite("MiRU2", "update_coefficient", self.update_coefficient, 0, 1)
        check_finite("MiRU2", "reset_coefficient", self.reset_coefficient, 0, 1)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Array]:
        (h,) = state
        n = array_namespace(wx).tanh(wx + float(self.reset_coefficient) * uh)
        keep = float(self.update_coefficient)
        return (keep * h + (1 - keep) * n,), n

    def pointwise_backward(self, dstate: State, cache: Array) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        keep = float(self.update_coefficient)
        da = (1 - keep) * dh * (1 - cache * cache)
        return da, float(self.reset_coefficient) * da, (keep * dh,), {}
