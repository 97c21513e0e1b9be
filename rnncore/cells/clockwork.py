"""The clockwork network (Koutník et al. 2014)."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_whole
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["Clockwork"]


@dataclass(frozen=True)
class Clockwork(AffineCell):
    """An Elman cell whose units have clocks: one of period T_j moves at every T_j-th step, and rests at the others.

        on = (t mod T = 0)
        h' = on ⊙ tanh(x W + h (U ⊙ M) + b) + (1 - on) ⊙ h
        t' = t + 1

    M is 1 from unit i to unit j where T_i ≥ T_j, else 0: the fast units see the slow ones, the slow ones do not see
    the fast. Units of one period are a module; with periods in rising order U ⊙ M is block triangular.

    Shapes: x (B, D), h (B, H), t (B, 1); W (D, H), U (H, H), b (H,); T (H,), one period for each unit, `periods` here,
    fixed. State: (h, t). Output: h.

    t counts the steps that were made, so all units move at the first step of a sequence; where the count ends a chunk,
    the next goes on. For "t mod T" a t given is rounded to a whole number; t' is not, so that the gradient of t' is
    that of t. Whole numbers are exact up to 2²⁴ in float32. Entries of U where M is 0 have no effect and a gradient
    of 0. Here all units are computed and some then kept; the paper's saving of time is not made.

    Paper: J. Koutník, K. Greff, F. Gomez, J. Schmidhuber, A clockwork RNN, arXiv 1402.3511, 2014.
    """

    periods: Array = tree.fixed()

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        periods: Iterable[int] = (1, 2, 4, 8),
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U, zero b. The units are shared out over `periods` as evenly as can be: where it
        does not come out even the first ones get one more, and where there are fewer units the last ones none.

        ValueError where a period is no integer from 1, or where there is none.
        """
        W, U, b = init.gates(rng, input_size, hidden_size, 1, dtype=dtype)
        modules = [check_whole("Clockwork", "each of periods", period, 1) for period in periods]
        if not modules:
            raise ValueError("Clockwork: periods must be at least one number, received none")
        shares = [len(units) for units in np.array_split(np.arange(hidden_size), len(modules))]
        return cls(W, U, b, np.repeat(modules, shares).astype(dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)
        check_array("Clockwork", "periods", self.periods, self.U.shape[:1], self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], (1,))

    @property
    def _mask(self) -> Array:
        """M (H, H)."""
        return array_namespace(self.U).astype(self.periods[:, None] >= self.periods[None, :], self.U.dtype)

    def effective(self) -> "Clockwork":
        return dataclasses.replace(self, U=self.U * self._mask)

    def effective_backward(self, grads: "Clockwork") -> Self:
        return dataclasses.replace(self, W=grads.W, U=grads.U * self._mask, b=grads.b)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, Array]]:
        xp, (h, t) = array_namespace(wx), state
        turns = xp.round(t) / self.periods
        on = xp.astype(turns == xp.floor(turns), h.dtype)
        h_new = on * xp.tanh(wx + uh) + (1 - on) * h
        return (h_new, t + 1), (on, h_new)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, Array]) -> tuple[Array, Array, State, Others]:
        dh, dt = dstate
        on, h_new = cache
        moved = on * dh
        da = moved * (1 - h_new * h_new)
        return da, da, (dh - moved, dt), {}
