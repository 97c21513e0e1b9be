"""The liquid time-constant network (Hasani et al. 2021)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_whole, concat, sigmoid, softplus
from rnncore.cell import Others, Product, TimedCell
from rnncore.recurrence import State

__all__ = ["LTC"]


@dataclass(frozen=True)
class LTC(TimedCell):
    """Liquid time-constant cell: leaky neurons whose input f opens a second leak, towards A, so that it also sets
    how fast they follow: dh/dt = -(1/τ + f) h + f A.

    An input (x, Δt) brings the time since the step before, in which K = `unfolds` steps of the fused solver, implicit
    in h and explicit in f, are made:

        δ = Δt / K,  1/τ = softplus(leak)
        K times:
            f = σ(x W + h U + b)
            h = (h + δ f ⊙ A) / (1 + δ (1/τ + f))

    Shapes: x (B, D), Δt (B, 1), h (B, H); W (D, H), b (H,), U (H, H), A and leak (H,). State: (h,). Output: h.

    Time has the unit in which τ is measured; of a negative Δt the magnitude counts. f is the logistic function: with
    f > 0 a step of any length is stable and h stays between 0, A and where it was. The paper's Algorithm 1 makes K
    steps of a given δ; f is any network there. Its published experiments and ncps have another cell under this name,
    see LTCSynapse.

    Errors: ValueError where `unfolds` is not an integer from 1.

    Paper: R. Hasani, M. Lechner, A. Amini, D. Rus, R. Grosu, Liquid time-constant networks, arXiv 2006.04439, 2021.
    """

    U: Array
    A: Array
    leak: Array
    unfolds: int = tree.static(default=6)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        unfolds: int = 6,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U, zero b; A of 1 and -1 by chance, τ = 1; 6 steps as in the authors' code."""
        W, U, b = init.gates(rng, input_size, hidden_size, 1, dtype=dtype)
        A = rng.choice([-1.0, 1.0], hidden_size).astype(dtype)
        return cls(W, b, U, A, np.full(hidden_size, np.log(np.expm1(1)), dtype=dtype), unfolds)

    def __post_init__(self) -> None:
        super().__post_init__()
        (hidden_size,) = self.b.shape
        check_array("LTC", "U", self.U, (hidden_size, hidden_size), self.W)
        for name in ("A", "leak"):
            check_array("LTC", name, getattr(self, name), (hidden_size,), self.W)
        check_whole("LTC", "unfolds", self.unfolds, 1)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.b.shape,)

    def pointwise(self, wx: Array, dt: Array, state: State) -> tuple[State, Any]:
        (h,), delta, leak = state, dt / self.unfolds, softplus(self.leak)
        steps = []
        for _ in range(self.unfolds):
            f = sigmoid(wx + h @ self.U)
            rate = leak + f
            divisor = 1 + delta * rate
            new = (h + delta * f * self.A) / divisor
            steps.append((h, f, rate, divisor, new))
            h = new
        return (h,), (delta, steps)

    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, Array, State, Others]:
        (dh,), (delta, steps) = dstate, cache
        das, dA, dleak, ddelta = [], 0, 0, 0
        for _, f, rate, divisor, new in reversed(steps):
            dh = dh / divisor  # of the numerator; -dh · new is that of the divisor
            dA = dA + dh * f
            dleak = dleak - dh * new
            ddelta = ddelta + dh * (f * self.A - new * rate)
            da = dh * delta * (self.A - new) * f * (1 - f)
            dh = dh + da @ self.U.T
            das.append(da)
        xp, hs = array_namespace(delta), [h for h, *_ in reversed(steps)]
        others = {
            "U": Product(concat(*hs, axis=0), concat(*das, axis=0)),
            "A": delta * dA,
            "leak": delta * dleak * sigmoid(self.leak),
        }
        return sum(das), xp.sum(ddelta, axis=-1, keepdims=True) / self.unfolds, (dh,), others
