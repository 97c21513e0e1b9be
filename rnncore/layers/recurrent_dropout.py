"""Recurrent dropout with one mask for all steps (Gal and Ghahramani 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace
from rnncore.cell import AffineCell, Cell, Product
from rnncore.layers.dropout import dropout_mask
from rnncore.layers.layer import LayerTape, check_rate, check_tape
from rnncore.layers.over_cell import OverCell
from rnncore.recurrence import State

__all__ = ["RecurrentDropout"]


@dataclass(frozen=True, eq=False)
class RecurrentDropout(OverCell):
    """A cell whose recurrent product misses the same units at every step.

        u h_t = (m ⊙ h_t) U / (1 - p),    m = 0 with probability p, else 1

    One mask (B, H) is drawn for each sequence and serves all of its steps. A unit that is dropped is not lost: only the
    product with U misses it, while all else that a cell does with h (z ⊙ h in a GRU, the product with U_n in
    GRUOriginal) has the whole of it. Without `rng` (evaluation) this is the cell. For the inputs there is
    `Dropout(rate, variational=True)`. Any cell of affine maps (`AffineCell`) will do, with its state and its output.

    S. Semeniuta, A. Severyn, E. Barth, Recurrent dropout without memory loss, 2016, drop something else: units of the
    candidate g in c' = f ⊙ c + i ⊙ d(g), anew at every step, so that what the memory holds is never touched.

    Paper: Y. Gal, Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks,
    arXiv:1512.05287, 2016.
    """

    rate: float = tree.static()

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate("RecurrentDropout", "rate", self.rate)

    def _run(
        self, xs: Array, state: State, rng: np.random.Generator | None, how: Any
    ) -> tuple[Array, State, LayerTape]:
        if type(self.cell.effective()).advance is not AffineCell.advance:
            raise TypeError(
                f"RecurrentDropout.forward: cell must have a product h U to drop from (an AffineCell), "
                f"received a {type(self.cell).__name__}"
            )
        masked = _Masked(self.cell)
        xp, h = array_namespace(xs), state[0]
        mask = xp.ones_like(h) if rng is None else dropout_mask(rng, tuple(h.shape), self.rate, h)
        ys, final, tape = masked.forward(xs, (*state, mask), *how)
        return ys, final[:-1], LayerTape(tree.form(self), (masked, tape, mask))

    def backward(
        self, dys: Array | None, tape: LayerTape, dstate: State | None = None, window: int | None = None
    ) -> tuple[Array, State, Self]:
        """Gradients of xs, of the initial state and of the parameters; arguments as in `Cell.backward`."""
        masked, part, mask = check_tape(self, tape)
        if dstate is None:
            dstate = self.initial_state(mask.shape[0])
        self.cell._check_state("RecurrentDropout.backward", "dstate", dstate, mask.shape[0])
        dmask = array_namespace(mask).zeros_like(mask)
        dxs, dstate, grads = masked.backward(dys, part, (*dstate, dmask), window)
        return dxs, dstate[:-1], type(self)(grads.cell, self.rate)


@dataclass(frozen=True)
class _Masked(Cell):
    """An affine cell whose state holds, last, the mask of h: so the loops over steps are those of any cell.

    The mask stays as it is, and its gradient is zero.
    """

    cell: Any

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.cell.input_shape)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (*self.cell.state_shapes, self.cell.state_shapes[0])

    def effective(self) -> "_Masked":
        return type(self)(self.cell.effective())

    def effective_backward(self, grads: Any) -> "_Masked":
        return type(self)(self.cell.effective_backward(grads.cell))

    def project(self, xs: Array) -> Array:
        return self.cell.project(xs)

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        *old, mask = state
        h = mask * old[0]
        new, cache = self.cell.pointwise(projected, h @ self.cell.U, tuple(old))
        return (*new, mask), (h, mask, cache)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        h, mask, cell_cache = cache
        *dnew, dmask = dstate
        dwx, duh, (dh, *rest), others = self.cell.pointwise_backward(tuple(dnew), cell_cache)
        return dwx, (dh + mask * (duh @ self.cell.U.T), *rest, dmask), others | {"U": Product(h, duh)}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, "_Masked"]:
        dxs, grads = self.cell.gradients(xs, dprojected, residues)
        return dxs, type(self)(grads)
