"""The compiled engine: a cell's `advance` and `retreat`, as they are written, become two loops of one program each.

JAX traces a step once, and XLA compiles the loop. Inside, a batch is a rectangle (T, B, …): where sequences are of
different lengths, a mask says at each step which of them are still running. The others keep their state, and zeros
flow back through them, so that all derivatives of what they computed are zero.
"""

import ctypes
from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, tree_util
from jax.custom_derivatives import SymbolicZero

from rnncore import memory, tree
from rnncore.backend import Array
from rnncore.engines import loop
from rnncore.jax import register
from rnncore.recurrence import Running, State

__all__ = ["PROGRAMS", "TRACED"]

KEPT = 256  # compiled runs
COPIED = 1 << 12  # bytes below which an array is copied sooner than taken over
BUCKET = 16  # ragged batches are run for a multiple of so many steps, that fewer lengths are compiled


# -- the loops


def _forward(cell: Any, xs: Array, state: State, running: Array | None) -> tuple[Array, State, Any]:
    """Outputs (T, B, …), final state and stacked caches; running (T, B), or None where all sequences are full."""
    steps, batch = xs.shape[:2]
    projected = _unflat(cell.project(_flat(xs)), steps, batch)

    def step(state: State, at: Any) -> tuple[State, Any]:
        x, valid = at
        new, cache = cell.advance(x, state)
        register(cache)
        new = tuple(n.astype(s.dtype) for n, s in zip(new, state, strict=True))
        return _where(valid, new, state), (new[0], cache)

    final, (ys, caches) = lax.scan(step, state, (projected, running))
    return ys, final, caches


def _backward(
    cell: Any, xs: Array, dys: Array | None, dstate: State, caches: Any, running: Array | None, cuts: Array | None
) -> tuple[Array, State, Any]:
    """Gradients of inputs (T, B, …), initial state and parameters."""
    steps, batch = xs.shape[:2]
    retreat = cell.retreating()

    def step(dstate: State, at: Any) -> tuple[State, Any]:
        dy, cache, valid, cut = at
        dnew = dstate if dy is None else (dstate[0] + dy, *dstate[1:])
        dnew = _where(valid, dnew, tuple(map(jnp.zeros_like, dstate)))
        dprojected, dold, residue = retreat(dnew, cache)
        register(residue)
        dold = tuple(
            jnp.broadcast_to(jnp.asarray(d, like.dtype), like.shape) for d, like in zip(dold, dstate, strict=True)
        )
        if cut is not None:
            dold = tuple(jnp.where(cut, 0, d) for d in dold)
        return _where(valid, dold, dstate), (dprojected, residue)

    dstate, (dprojected, residues) = lax.scan(step, dstate, (dys, caches, running, cuts), reverse=True)
    dxs, grads = cell.gradients(_flat(xs), _flat(dprojected), [tree_util.tree_map(_flat, residues)])
    return _unflat(dxs, steps, batch), dstate, grads


def _flat(array: Array) -> Array:
    return array.reshape(array.shape[0] * array.shape[1], *array.shape[2:])


def _unflat(array: Array, steps: int, batch: int) -> Array:
    return array.reshape(steps, batch, *array.shape[1:])


def _where(valid: Array | None, one: State, other: State) -> State:
    """For each sequence one state or the other, as it is running or not."""
    if valid is None:
        return one
    return tuple(jnp.where(valid.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(one, other, strict=True))


# -- the engine of JAX's own arrays


class Traced:
    """Runs on JAX arrays, also those of a function that is being traced."""

    def scan(self, cell: Any, rows: Array, state: State, sizes: tuple[int, ...]) -> tuple[Array, State, Any]:
        """As `loop.scan`."""
        batch = state[0].shape[0]
        if not sizes or not batch:
            return loop.scan(cell, rows, state, sizes)
        register(cell)
        running, index = _layout(sizes, batch, len(sizes))
        ys, state, caches = _run(cell, _padded(rows, index, len(sizes), batch), state, running)
        return _packed(ys, index), state, caches

    def scan_backward(
        self,
        cell: Any,
        rows: Array,
        dys: Array | None,
        dstate: State,
        caches: Any,
        sizes: tuple[int, ...],
        cuts: list[bool],
    ) -> tuple[Array, State, Any]:
        """As `loop.scan_backward`."""
        steps, batch = len(sizes), dstate[0].shape[0]
        if not steps or not batch:
            return loop.scan_backward(cell, rows, dys, dstate, caches, sizes, cuts)
        running, index = _layout(sizes, batch, len(sizes))
        xs, dys = (None if r is None else _padded(r, index, steps, batch) for r in (rows, dys))
        cut = np.asarray(cuts) if any(cuts) else None
        dxs, dstate, grads = _run_backward(cell, xs, dys, dstate, caches, running, cut)
        return _packed(dxs, index), dstate, grads


TRACED = Traced()
_forward_of_jax, _run_backward = jax.jit(_forward), jax.jit(_backward)


@jax.custom_vjp
def _run(cell: Any, xs: Array, state: State, running: Array | None) -> Any:
    """`_forward`, whose derivative for JAX is `_backward`."""
    return _forward_of_jax(cell, xs, state, running)


def _run_kept(cell: Any, xs: Array, state: State, running: Array | None) -> Any:
    cell, xs, state, running = tree_util.tree_map(lambda leaf: leaf.value, (cell, xs, state, running))
    ys, final, caches = _forward_of_jax(cell, xs, state, running)
    return (ys, final, caches), (cell, xs, state, running, caches)


def _run_differentiated(kept: Any, slopes: Any) -> Any:
    cell, xs, state, running, caches = kept
    read = any(not _is_zero(slope) for slope in tree_util.tree_leaves(slopes[2], is_leaf=_is_zero))
    slopes = tree_util.tree_map(_dense, slopes, is_leaf=_is_zero)
    if read:  # somebody differentiates `Cell.backward`, which reads the caches
        _, pull = jax.vjp(lambda *arguments: _forward_of_jax(*arguments, running), cell, xs, state)
        return *pull(slopes), None
    dys, dfinal, _ = slopes
    dxs, dstate, grads = _run_backward(cell, xs, dys, dfinal, caches, running, None)
    return tree.with_fixed_of(grads, tree.convert(jnp.zeros_like, cell)), dxs, dstate, None


def _is_zero(slope: Any) -> bool:
    return isinstance(slope, SymbolicZero)


def _dense(slope: Any) -> Array:
    return jnp.zeros(slope.shape, slope.dtype) if _is_zero(slope) else slope


_run.defvjp(_run_kept, _run_differentiated, symbolic_zeros=True)


# -- the engine of NumPy's arrays


class Programs:
    """The compiled runs of NumPy arrays, one of each form: those used last are kept."""

    def __init__(self) -> None:
        self.kept: OrderedDict[Any, Program] = OrderedDict()

    def of(self, cell: Any, rows: np.ndarray, sizes: tuple[int, ...], after: int) -> "Program | None":
        """The engine for a run of this form; None until it has been asked for more than `after` times."""
        if not sizes or rows.dtype not in (np.float32, np.float64):
            return None
        form = tree.form(cell), _turned(cell), rows.shape[1:], sizes[0], sizes[0] == sizes[-1], _steps(sizes)
        if form not in self.kept:
            self.kept[form] = Program(cell)
        self.kept.move_to_end(form)
        program = self.kept[form]
        if len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        program.asked += 1
        return program if program.asked > after else None


class Program:
    """Both loops of one form of a run, compiled when they are first run.

    They are given a cell's arrays one by one, a matrix laid out column by column as its transpose: what JAX finds in
    order, and where a vector register may begin, it reads where it lies.
    """

    def __init__(self, cell: Any) -> None:
        self.asked = 0
        like = tree.convert(lambda leaf: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape), cell)
        turned = _turned(cell)

        def rebuilt(leaves: tuple[Array, ...]) -> Any:
            given = iter([leaf.T if turn else leaf for leaf, turn in zip(leaves, turned, strict=True)])
            return tree.convert(lambda _: next(given), like)

        def forward(leaves: tuple[Array, ...], *arguments: Any) -> Any:
            return _forward(rebuilt(leaves), *arguments)

        def backward(leaves: tuple[Array, ...], *arguments: Any) -> Any:
            dxs, dstate, grads = _backward(rebuilt(leaves), *arguments)
            slopes = [leaf for _, leaf in tree.leaves(grads, and_fixed=True)]
            return dxs, dstate, [slope.T if turn else slope for slope, turn in zip(slopes, turned, strict=True)]

        self._turned = turned
        self._forward, self._backward = jax.jit(forward), jax.jit(backward)

    def scan(self, cell: Any, rows: np.ndarray, state: State, sizes: tuple[int, ...]) -> tuple[Array, State, Any]:
        """As `loop.scan`."""
        steps, batch = _steps(sizes), state[0].shape[0]
        running, index = _layout(sizes, batch, steps)
        xs = _padded(rows, index, steps, batch)
        with jax.enable_x64(rows.dtype == np.float64):
            ys, final, caches = self._forward(self._leaves(cell), xs, state, running)
        return _rows(ys, index), tuple(map(_owned, final)), caches

    def scan_backward(
        self,
        cell: Any,
        rows: np.ndarray,
        dys: np.ndarray | None,
        dstate: State,
        caches: Any,
        sizes: tuple[int, ...],
        cuts: list[bool],
    ) -> tuple[Array, State, Any]:
        """As `loop.scan_backward`."""
        steps, batch = _steps(sizes), dstate[0].shape[0]
        running, index = _layout(sizes, batch, steps)
        xs, dys = (None if r is None else _padded(r, index, steps, batch) for r in (rows, dys))
        cut = np.asarray([*cuts, *[False] * (steps - len(cuts))]) if any(cuts) else None
        with jax.enable_x64(rows.dtype == np.float64):
            dxs, dstate, slopes = self._backward(self._leaves(cell), xs, dys, dstate, caches, running, cut)
        owned = map(_owned, slopes)
        turned = iter([slope.T if turn else slope for slope, turn in zip(owned, self._turned, strict=True)])
        return _rows(dxs, index), tuple(map(_owned, dstate)), tree.convert(lambda _: next(turned), cell)

    def _leaves(self, cell: Any) -> tuple[np.ndarray, ...]:
        leaves = [leaf for _, leaf in tree.leaves(cell, and_fixed=True)]
        return tuple([leaf.T if turn else leaf for leaf, turn in zip(leaves, self._turned, strict=True)])


PROGRAMS = Programs()


def _turned(cell: Any) -> tuple[bool, ...]:
    """Which of its arrays are matrices that lie column by column."""
    leaves = tree.leaves(cell, and_fixed=True)
    return tuple([leaf.ndim == 2 and leaf.flags.f_contiguous and not leaf.flags.c_contiguous for _, leaf in leaves])


def _steps(sizes: tuple[int, ...]) -> int:
    """For how many steps a batch is run."""
    return len(sizes) if sizes[0] == sizes[-1] else -(-len(sizes) // BUCKET) * BUCKET


def _rows(array: Any, index: np.ndarray | None) -> np.ndarray:
    rows: np.ndarray = _flat(_owned(array) if index is None else np.asarray(array))
    return rows if index is None else rows[index]


def _owned(array: Any) -> np.ndarray:
    """What JAX computed, as an array to write to: nobody else sees this one, and a large one is not copied."""
    if array.nbytes < COPIED:
        return np.array(array)
    array.block_until_ready()
    memory_of_jax: Any = (ctypes.c_char * array.nbytes).from_address(array.unsafe_buffer_pointer())
    memory_of_jax.held = array  # for as long as NumPy holds the memory
    return np.frombuffer(memory_of_jax, array.dtype).reshape(array.shape)


# -- the layout


def _layout(sizes: tuple[int, ...], batch: int, steps: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Which sequences run at each step (T, B), and where in (T·B, …) the packed rows are; None: all, in order."""
    if isinstance(sizes, Running):
        return sizes.mask, None
    if sizes[-1] == batch:
        return None, None
    running = np.arange(batch) < np.array([*sizes, *[0] * (steps - len(sizes))])[:, None]
    return running, np.flatnonzero(running)


def _padded(rows: Array, index: np.ndarray | None, steps: int, batch: int) -> Array:
    """Packed rows (N, …) in a rectangle (T, B, …), zeros where none is."""
    if index is not None:
        shape = (steps * batch, *rows.shape[1:])
        if isinstance(rows, np.ndarray):
            filled = memory.empty(shape, rows.dtype)
            filled.fill(0)
            filled[index] = rows
            rows = filled
        else:
            rows = jnp.zeros(shape, rows.dtype).at[index].set(rows)
    return _unflat(rows, steps, batch)


def _packed(array: Array, index: np.ndarray | None) -> Array:
    return _flat(array) if index is None else _flat(array)[index]
