"""The engine of every library: a loop in Python over the steps, as the cell is written."""

from typing import Any

from rnncore import recurrence
from rnncore.backend import Array, joined
from rnncore.recurrence import State

__all__ = ["scan", "scan_backward"]


def scan(cell: Any, rows: Array, state: State, sizes: tuple[int, ...]) -> tuple[Array, State, Any]:
    """Run over packed rows (N, …), sizes[t] of them at step t: outputs (N, …), final state, and caches."""
    return recurrence.forward(cell.advance, cell.project(rows), state, sizes)


def scan_backward(
    cell: Any, rows: Array, dys: Array | None, dstate: State, caches: Any, sizes: tuple[int, ...], cuts: list[bool]
) -> tuple[Array, State, Any]:
    """The derivative of `scan`: gradients of the rows, of the initial state and of the parameters.

    Nothing flows back from a step t with cuts[t] to the one before.
    """
    dprojected, dstate, residues = recurrence.backward(cell.retreating(), dys, dstate, caches, sizes, cuts)
    dxs, grads = cell.gradients(rows, joined([cell.project(rows[:0]), *dprojected]), residues)
    return dxs, dstate, grads
