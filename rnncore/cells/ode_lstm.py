"""The LSTM whose output moves on between observations (Lechner and Hasani 2020)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_whole, concat
from rnncore.cell import Others, Product
from rnncore.cells.lstm import lstm, lstm_backward
from rnncore.cells.phased_lstm import TimedMemoryCell
from rnncore.recurrence import State

__all__ = ["ODELSTM", "SOLVERS"]

SOLVERS: dict[str, tuple[tuple[float, float], ...]] = {
    "euler": ((0, 1),),
    "heun": ((0, 1 / 2), (1, 1 / 2)),
    "rk4": ((0, 1 / 6), (1 / 2, 1 / 3), (1 / 2, 1 / 3), (1, 1 / 6)),
}
"""Explicit Runge–Kutta methods. For each stage: how far ahead of h it lies, along the slope of the stage before, as a
part of the step; and its weight."""


@dataclass(frozen=True)
class ODELSTM(TimedMemoryCell):
    """LSTM whose h obeys a differential equation for the time that has passed, while c keeps the memory untouched.

        x, Δt = input
        a_i, a_f, a_g, a_o = split(x W + h U + b)
        i, f, o = σ(a_i), σ(a_f), σ(a_o);  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        h' = y(Δt)  of  dy/dt = tanh(y P + p) Q + q,  y(0) = o ⊙ tanh(c')

    Shapes: input (B, D + 1), its last column Δt, h and c (B, H); W (D, 4H), U (H, 4H), b (4H,), gates in the order
    i f g o; P and Q (H, H), p and q (H,). State: (h, c). Output: h.

    The equation is solved in `unfolds` equal steps by `solver`: euler, heun or rk4 (Runge–Kutta of order four); the
    gradient is that of these steps. At Δt = 0 this is LSTM. The paper leaves the solver open; the fixed-step ones of
    the authors' PyTorch code are these with three unfolds. In their TensorFlow code it is the old h that evolves,
    driven by o ⊙ tanh(c').

    Errors: ValueError for an unknown solver, or unfolds below one.

    Paper: M. Lechner, R. Hasani, Learning long-term dependencies in irregularly-sampled time series, arXiv 2006.04418,
    2020.
    """

    P: Array
    p: Array
    Q: Array
    q: Array
    solver: str = tree.static(default="euler")
    unfolds: int = tree.static(default=3)

    gates = 4
    forget_gate = 1

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        solver: str = "euler",
        unfolds: int = 3,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """As LSTM.init; Glorot-uniform P and Q, zero p and q."""
        W, U, b = cls._weights(rng, input_size, hidden_size, forget_bias, dtype)
        P, Q = (init.glorot_uniform(rng, hidden_size, hidden_size, dtype=dtype) for _ in range(2))
        p, q = np.zeros((2, hidden_size), dtype=dtype)
        return cls(W, U, b, P, p, Q, q, solver, unfolds)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        for name in ("P", "Q"):
            check_array("ODELSTM", name, getattr(self, name), (hidden_size, hidden_size), self.W)
        for name in ("p", "q"):
            check_array("ODELSTM", name, getattr(self, name), (hidden_size,), self.W)
        if self.solver not in SOLVERS:
            raise ValueError(f"ODELSTM: solver must be one of {', '.join(SOLVERS)}, received {self.solver!r}")
        check_whole("ODELSTM", "unfolds", self.unfolds, 1)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Any, ...]]:
        h, c, cache = lstm(wx[:, :-1] + uh, state[1])
        step = wx[:, -1:] / self.unfolds
        h, solver_cache = self._solve(h, step)
        return (h, c), (cache, step, solver_cache)

    def pointwise_backward(self, dstate: State, cache: tuple[Any, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        lstm_cache, step, solver_cache = cache
        dh, dstep, others = self._solve_backward(dh, step, solver_cache)
        da, dc = lstm_backward(dh, dc, lstm_cache)
        return concat(da, dstep / self.unfolds), da, (0, dc), others

    def _solve(self, h: Array, step: Array) -> tuple[Array, list[Any]]:
        """h (B, H) after `unfolds` steps of the lengths `step` (B, 1), and a cache."""
        xp, cache = array_namespace(h), []
        for _ in range(self.unfolds):
            stages, k, slope = [], 0 * h, 0 * h
            for ahead, weight in SOLVERS[self.solver]:
                y = h + ahead * step * k if ahead else h
                u = xp.tanh(y @ self.P + self.p)
                stages.append((y, u, k))
                k = u @ self.Q + self.q
                slope = slope + weight * k
            h = h + step * slope
            cache.append((stages, slope))
        return h, cache

    def _solve_backward(self, dh: Array, step: Array, cache: list[Any]) -> tuple[Array, Array, Others]:
        """The derivative of `_solve`: gradients of h and of `step`, and those of the vector field's parameters."""
        xp, rows, dstep = array_namespace(dh), [], 0 * step
        for stages, slope in reversed(cache):
            dslope, dk_ahead = step * dh, 0 * dh
            dstep = dstep + xp.sum(dh * slope, axis=-1, keepdims=True)
            for (ahead, weight), (y, u, k) in zip(reversed(SOLVERS[self.solver]), reversed(stages), strict=True):
                dk = weight * dslope + dk_ahead
                da = (dk @ self.Q.T) * (1 - u * u)
                dy = da @ self.P.T
                dh = dh + dy
                if ahead:  # y = h + ahead · step · k of the stage before
                    dk_ahead = ahead * step * dy
                    dstep = dstep + ahead * xp.sum(dy * k, axis=-1, keepdims=True)
                rows.append((y, da, u, dk))
        y, da, u, dk = (concat(*arrays, axis=0) for arrays in zip(*rows, strict=True))
        return dh, dstep, {"P": Product(y, da), "p": da, "Q": Product(u, dk), "q": dk}
