"""Bistable recurrent cells (Vecoven, Ernst and Drion 2021)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import AffineCell, InputCell, Others
from rnncore.recurrence import State

__all__ = ["BRC", "NBRC"]


@dataclass(frozen=True)
class BRC(InputCell):
    """The bistable cell: a unit feeds back on itself alone, by a factor a of its own; above 1 it has two rest states.

        a_x, c_x, n_x = split(x W + b);  w_a, w_c = split(w)
        a = 1 + tanh(a_x + w_a ⊙ h)
        c = σ(c_x + w_c ⊙ h)
        n = tanh(n_x + a ⊙ h)
        h' = c ⊙ h + (1 - c) ⊙ n

    Shapes: x (B, D), h (B, H); W (D, 3H), b (3H,), in the order a c n; w (2H,), in the order a c. State: (h,).
    Output: h.

    The paper's equations have no biases, its program those of a and c. torchrecurrent.BRCell is this cell with
    W = weight_ih.T, w = weight_hh and b = bias_ih, its bias_hh zero (it adds to b's first two thirds).

    Paper: N. Vecoven, D. Ernst, G. Drion, A bio-inspired bistable recurrent cell allows for long-lasting memory, PLOS
    ONE 16, arXiv 2006.05252, 2021.
    """

    w: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, each part drawn for itself; w of ones, as in the authors' program; zero b."""
        W, _, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        return cls(W, b, np.ones(2 * hidden_size, dtype=dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("BRC", "w", self.w, (self.W.shape[1] // 3 * 2,), self.W)
        check_array("BRC", "W", self.W, (self.W.shape[0], self.w.shape[0] // 2 * 3), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.w.shape[0] // 2,),)

    def pointwise(self, wx: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        a, c, n = split(wx, 3)
        w_a, w_c = split(self.w, 2)
        return _bistable(a + w_a * h, c + w_c * h, n, h)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        h, w_a, w_c = cache[0], *split(self.w, 2)
        da, dc, dn, dh = _bistable_backward(dstate[0], cache)
        return concat(da, dc, dn), (dh + da * w_a + dc * w_c,), {"w": concat(da * h, dc * h)}


@dataclass(frozen=True)
class NBRC(AffineCell):
    """The neuromodulated bistable cell: as BRC, but the whole layer sets each unit's feedback and its update.

        a_x, c_x, n_x = split(x W + b);  a_h, c_h = split(h U)
        a = 1 + tanh(a_x + a_h)
        c = σ(c_x + c_h)
        n = tanh(n_x + a ⊙ h)
        h' = c ⊙ h + (1 - c) ⊙ n

    Shapes: x (B, D), h (B, H); W (D, 3H), U (H, 2H), b (3H,), in the order a c n. State: (h,). Output: h.

    It is a GRU whose reset gate lies in 0 … 2 and whose candidate sees no other unit. The paper's equations have no
    biases, its program those of a and c. torchrecurrent.NBRCell is this cell with W = weight_ih.T, U = weight_hh.T and
    b = bias_ih, its bias_hh zero (it adds to b's first two thirds).

    Paper: N. Vecoven, D. Ernst, G. Drion, A bio-inspired bistable recurrent cell allows for long-lasting memory, PLOS
    ONE 16, arXiv 2006.05252, 2021.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, each part drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        return cls(W, U[:, : 2 * hidden_size].copy(), b)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("NBRC", "U", self.U, (hidden_size, 2 * hidden_size), self.W)
        check_array("NBRC", "W", self.W, (self.W.shape[0], 3 * hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        a, c, n = split(wx, 3)
        a_h, c_h = split(uh, 2)
        return _bistable(a + a_h, c + c_h, n, h)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        da, dc, dn, dh = _bistable_backward(dstate[0], cache)
        dwx = concat(da, dc, dn)
        return dwx, dwx[:, : self.U.shape[1]], (dh,), {}


def _bistable(a: Array, c: Array, n: Array, h: Array) -> tuple[State, tuple[Array, ...]]:
    """The new state from what enters a, c and n, and from h; and a cache."""
    xp = array_namespace(h)
    a, c = 1 + xp.tanh(a), sigmoid(c)
    n = xp.tanh(n + a * h)
    return (n + c * (h - n),), (h, a, c, n)


def _bistable_backward(dh: Array, cache: tuple[Array, ...]) -> tuple[Array, Array, Array, Array]:
    """The derivative of `_bistable`: gradients of its four arguments."""
    h, a, c, n = cache
    dn = dh * (1 - c) * (1 - n * n)
    da = dn * h * a * (2 - a)  # 1 - tanh² with tanh = a - 1
    dc = dh * (h - n) * c * (1 - c)
    return da, dc, dn, dh * c + dn * a
