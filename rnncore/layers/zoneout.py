"""Zoneout (Krueger et al. 2016)."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace, concat, device
from rnncore.cell import Cell
from rnncore.layers.layer import LayerTape, check_rate, check_tape
from rnncore.layers.over_cell import OverCell
from rnncore.recurrence import State

__all__ = ["Zoneout"]


@dataclass(frozen=True, eq=False)
class Zoneout(OverCell):
    """A cell some of whose units keep their old value for a step, in place of the new one.

        s' = m ⊙ s + (1 - m) ⊙ ŝ,    ŝ the cell's new state

    In training m is 1 with probability p, else 0, drawn for every unit, step and sequence; in evaluation it is p, the
    mean. Each array of the state has its own rate p: `rates` is a tuple of them, or one number for all. Of an LSTM the
    first is that of h, the second that of c; h is computed from the new c before c is zoned out, as in the paper.
    State and output are those of the cell, zoned out. Unlike dropout no unit is ever set to zero.

    Paper: D. Krueger et al., Zoneout: regularizing RNNs by randomly preserving hidden activations, arXiv:1606.01305,
    2016.
    """

    rates: tuple[float, ...] | float = tree.static()

    def __post_init__(self) -> None:
        super().__post_init__()
        for rate in self._rates:
            check_rate("Zoneout", "each of rates", rate)
        if len(self._rates) != len(self.cell.state_shapes):
            raise ValueError(
                f"Zoneout: rates must be {len(self.cell.state_shapes)}, one for each array of the state, "
                f"received {len(self._rates)}"
            )

    @property
    def _rates(self) -> tuple[float, ...]:
        return self.rates if isinstance(self.rates, tuple) else (self.rates,) * len(self.cell.state_shapes)

    def _run(
        self, xs: Array, state: State, rng: np.random.Generator | None, how: Any
    ) -> tuple[Array, State, LayerTape]:
        zoned, (steps, batch) = _Zoned.of(self.cell), xs.shape[:2]
        shape = (steps, batch, zoned.masks)
        rates = np.concatenate([np.full(math.prod(s), p) for s, p in zip(zoned.state_shapes, self._rates, strict=True)])
        masks = rates + np.zeros(shape) if rng is None else rng.random(shape) < rates
        xp = array_namespace(xs)
        flat = xp.reshape(xs, (steps, batch, math.prod(self.cell.input_shape)))
        masked = concat(flat, xp.asarray(masks, dtype=xs.dtype, device=device(xs)))
        ys, state, tape = zoned.forward(masked, state, *how)
        return ys, state, LayerTape(tree.form(self), (zoned, tape))

    def backward(
        self, dys: Array | None, tape: LayerTape, dstate: State | None = None, window: int | None = None
    ) -> tuple[Array, State, Self]:
        """Gradients of xs, of the initial state and of the parameters; arguments as in `Cell.backward`."""
        zoned, part = check_tape(self, tape)
        dmasked, dstate, grads = zoned.backward(dys, part, dstate, window)
        dxs = dmasked[..., : dmasked.shape[-1] - zoned.masks]
        shape = (*dmasked.shape[:2], *self.cell.input_shape)
        return array_namespace(dxs).reshape(dxs, shape), dstate, type(self)(grads.cell, self.rates)


@dataclass(frozen=True)
class _Zoned(Cell):
    """A cell that reads the masks of its state, flat, beside its input: so the loops over steps are those of any cell.

    Masks bear no gradient: their part in dxs is zero.
    """

    cell: Cell
    projected: tuple[int, ...] = tree.static()  # shape of one row of what the cell projects

    @classmethod
    def of(cls, cell: Cell) -> "_Zoned":
        like = cell._like
        xs = array_namespace(like).zeros((0, *cell.input_shape), dtype=like.dtype, device=device(like))
        return cls(cell, tuple(cell.effective().project(xs).shape[1:]))

    @property
    def masks(self) -> int:
        """How many units the state has."""
        return sum(map(math.prod, self.cell.state_shapes))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (math.prod(self.cell.input_shape) + self.masks,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return self.cell.state_shapes

    def effective(self) -> "_Zoned":
        return type(self)(self.cell.effective(), self.projected)

    def effective_backward(self, grads: Any) -> "_Zoned":
        return type(self)(self.cell.effective_backward(grads.cell), self.projected)

    def project(self, xs: Array) -> Array:
        x, m = self._parted(xs, self.cell.input_shape)
        return self._joined(self.cell.project(x), m)

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        wx, m = self._parted(projected, self.projected)
        new, cache = self.cell.advance(wx, state)
        keep = self._per_state(m)
        return tuple(k * s + (1 - k) * n for k, s, n in zip(keep, state, new, strict=True)), (keep, cache, m)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        keep, cell_cache, m = cache
        dnew = tuple((1 - k) * d for k, d in zip(keep, dstate, strict=True))
        dwx, dold, residue = self.cell.retreat(dnew, cell_cache)
        dold = tuple(k * d + o for k, d, o in zip(keep, dstate, dold, strict=True))
        return self._joined(dwx, array_namespace(m).zeros_like(m)), dold, residue

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, "_Zoned"]:
        x, m = self._parted(xs, self.cell.input_shape)
        dwx, _ = self._parted(dprojected, self.projected)
        dx, grads = self.cell.gradients(x, dwx, residues)
        return self._joined(dx, array_namespace(m).zeros_like(m)), type(self)(grads, self.projected)

    def _parted(self, rows: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Rows (N, …) of `shape` that were joined with masks, and the masks."""
        end = rows.shape[1] - self.masks
        return array_namespace(rows).reshape(rows[:, :end], (rows.shape[0], *shape)), rows[:, end:]

    def _joined(self, rows: Array, masks: Array) -> Array:
        flat = array_namespace(rows).reshape(rows, (rows.shape[0], math.prod(rows.shape[1:])))
        return concat(flat, masks)

    def _per_state(self, masks: Array) -> list[Array]:
        """The masks of each array of the state."""
        parts, start = [], 0
        for shape in self.cell.state_shapes:
            stop = start + math.prod(shape)
            parts.append(array_namespace(masks).reshape(masks[:, start:stop], (masks.shape[0], *shape)))
            start = stop
        return parts
