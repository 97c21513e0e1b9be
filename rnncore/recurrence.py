"""Through time and back: the loop over steps, and backpropagation through time (BPTT).

The loops know nothing of a cell but two functions, `advance` (one step forward) and `retreat` (one step backward).
Ragged batches and direction are not their concern either: a `Packing` lines the sequences up first.

Paper: P. J. Werbos, Backpropagation through time: what it does and how to do it, Proc. IEEE 78, 1990.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rnncore.backend import Array, array_namespace, check_array, check_whole, concat, device, joined, take_rows, traced

__all__ = [
    "Packing",
    "Segment",
    "State",
    "Tape",
    "backward",
    "check_lengths",
    "forward",
    "valid_steps",
]

State = tuple[Array, ...]
"""The state of a cell: arrays of B rows. The first of them is the cell's output."""


@dataclass(frozen=True)
class Packing:
    """The steps of a batch of sequences, laid out one after the other without padding.

    Step t of the packed order holds row t of every sequence that is at least t + 1 long, longest sequence first; with
    `reverse` a sequence is read from its own last step to its first. So a loop over `sizes` meets no padding.
    """

    steps: int
    sizes: tuple[int, ...]  # how many sequences are still running at each step, none of them zero
    order: np.ndarray | None  # the batch, longest first; None: as it came
    index: np.ndarray | None  # for each packed row its row in the flat (T·B, …) array; None: as it came
    batch: int

    @classmethod
    def of(cls, operation: str, steps: int, batch: int, lengths: Iterable[int] | None, reverse: bool) -> "Packing":
        """Lay out `batch` sequences of `lengths` (B,) within (T, B, …); all of them full where `lengths` is None."""
        if lengths is None and not reverse:
            return cls(steps, (batch,) * steps if batch else (), None, None, batch)
        n = np.full(batch, steps) if lengths is None else check_lengths(operation, lengths, steps, batch)
        if traced(n):
            return Rectangle.of_traced(steps, batch, n, reverse)
        order = np.argsort(-n, kind="stable")
        t, row = np.nonzero(np.arange(steps)[:, None] < n[order])  # sorted by step, then by place in `order`
        column = order[row]
        source = n[column] - 1 - t if reverse else t
        sizes = tuple(int(k) for k in np.bincount(t, minlength=0))
        return cls(steps, sizes, order, source * batch + column, batch)

    def pack(self, xs: Array) -> Array:
        """(T, B, …) → (N, …), where N counts the valid steps of all sequences."""
        flat = array_namespace(xs).reshape(xs, (self.steps * self.batch, *xs.shape[2:]))
        return flat if self.index is None else take_rows(flat, self.index)

    def unpack(self, rows: Array) -> Array:
        """(N, …) → (T, B, …), zeros in the padding: the adjoint of `pack`."""
        if self.index is not None:
            padding = array_namespace(rows).zeros((1, *rows.shape[1:]), dtype=rows.dtype, device=device(rows))
            source = np.full(self.steps * self.batch, len(self.index))
            source[self.index] = np.arange(len(self.index))
            rows = take_rows(concat(rows, padding, axis=0), source)
        return array_namespace(rows).reshape(rows, (self.steps, self.batch, *rows.shape[1:]))

    def rows(self, rows: Array, start: int, stop: int) -> Array:
        """Those of packed rows (N, …) that belong to steps start … stop - 1."""
        if (start, stop) == (0, len(self.sizes)):
            return rows
        return rows[sum(self.sizes[:start]) : sum(self.sizes[:stop])]

    def sort(self, state: State) -> State:
        """The rows of a state in packed order."""
        return state if self.order is None else tuple(take_rows(s, self.order) for s in state)

    def unsort(self, state: State) -> State:
        """The rows of a state in the batch's own order."""
        return state if self.order is None else tuple(take_rows(s, np.argsort(self.order)) for s in state)


@dataclass(frozen=True)
class Running:
    """Which sequences are running at each step, mask (T, B): `Packing.sizes` where JAX traces the lengths."""

    mask: Array

    def __len__(self) -> int:
        return int(self.mask.shape[0])

    def __getitem__(self, steps: slice) -> "Running":
        return Running(self.mask[steps])


@dataclass(frozen=True)
class Rectangle(Packing):
    """A packing that leaves the padding where it is, since lengths are not known yet; the engine steps over it."""

    @classmethod
    def of_traced(cls, steps: int, batch: int, n: Array, reverse: bool) -> "Rectangle":
        """Lay out `batch` sequences of lengths n (B,)."""
        t = np.arange(steps)[:, None]
        index = array_namespace(n).where(t < n, n - 1 - t if reverse else t, t) * batch + np.arange(batch)
        return cls(steps, cast(Any, Running(t < n)), None, index.reshape(-1), batch)

    def unpack(self, rows: Array) -> Array:
        """(T·B, …) → (T, B, …), zeros in the padding; read backwards twice is forwards."""
        xp, valid = array_namespace(rows), cast(Any, self.sizes).mask
        rows = take_rows(rows, self.index).reshape(self.steps, self.batch, *rows.shape[1:])
        return xp.where(valid.reshape(*valid.shape, *(1,) * (len(rows.shape) - 2)), rows, 0)

    def rows(self, rows: Array, start: int, stop: int) -> Array:
        """Those of steps start … stop - 1."""
        return rows[start * self.batch : stop * self.batch]


@dataclass(frozen=True)
class Segment:
    """Consecutive steps start … stop - 1 of a run: the state before them (in packed order), and each step's cache;
    caches None: `backward` runs these steps again first."""

    start: int
    stop: int
    state: State
    caches: Any


@dataclass(frozen=True)
class Tape:
    """What `forward` leaves for `backward`: the packed inputs, the run in segments, how the steps were packed, the cell
    whose steps were run, and the form of the one that was asked to."""

    xs: Array
    segments: list[Segment]
    packing: Packing
    cell: Any
    form: Any


def forward(
    advance: Callable[[Array, State], tuple[State, Any]], inputs: Array, state: State, sizes: tuple[int, ...]
) -> tuple[Array, State, list[Any]]:
    """Run `advance` over packed `inputs` (N, …); return outputs (N, …), the final state and each step's cache.

    The first sizes[t] rows of the state take part in step t. The final state of a sequence is the one after its own
    last step.
    """
    outputs, caches, start = [state[0][:0]], [], 0
    for n in sizes:
        new, cache = advance(inputs[start : start + n], _head(state, n))
        state = _join(new, state, n)
        outputs.append(new[0])
        caches.append(cache)
        start += n
    return joined(outputs), state, caches


def backward(
    retreat: Callable[[State, Any], tuple[Array, State, Any]],
    doutputs: Array | None,
    dstate: State,
    caches: list[Any],
    sizes: tuple[int, ...],
    cuts: list[bool],
) -> tuple[list[Array], State, list[Any]]:
    """BPTT: run `retreat` from the last step to the first.

    At step t the gradient of the state is what the later steps send back (at a sequence's end: `dstate`) plus, in
    `state[0]`, the gradient `doutputs` of that step's own output. Where cuts[t], nothing goes back beyond step t: the
    gradient that automatic differentiation gives when the state is detached there.

    Returns the gradient of each step's inputs, of the initial state, and what else `retreat` returned, in order of t.
    """
    dinputs, residues, end = [], [], sum(sizes)
    for t in reversed(range(len(sizes))):
        n = sizes[t]
        dnew = _head(dstate, n)
        if doutputs is not None:
            dnew = (dnew[0] + doutputs[end - n : end], *dnew[1:])
        dinput, dold, residue = retreat(dnew, caches[t])
        if cuts[t]:
            dold = tuple(array_namespace(d).zeros_like(d) for d in dold)
        dstate = _join(dold, dstate, n)
        dinputs.append(dinput)
        residues.append(residue)
        end -= n
    return dinputs[::-1], dstate, residues[::-1]


def _head(state: State, n: int) -> State:
    return state if n == state[0].shape[0] else tuple(s[:n] for s in state)


def _join(first: State, state: State, n: int) -> State:
    """`state` with its first n rows replaced by `first`."""
    if n == state[0].shape[0]:
        return first
    return tuple(concat(h, s[n:], axis=0) for h, s in zip(first, state, strict=True))


def valid_steps(operation: str, lengths: Iterable[int], steps: int, batch: int, like: Array) -> Array:
    """(T, B), true where a step belongs to its sequence: t < lengths[b]; of the library and on the device of `like`."""
    valid = np.arange(steps)[:, None] < check_lengths(operation, lengths, steps, batch)
    return array_namespace(like).asarray(valid, device=device(like))


def check_lengths(operation: str, lengths: Iterable[int], steps: int, batch: int) -> Any:
    """`lengths` as a NumPy array (B,) of whole numbers 0 … T; TypeError or ValueError where they are none.

    Lengths that JAX traces are given back: their values are not known.
    """
    if traced(lengths):
        check_array(operation, "lengths", lengths, (batch,), lengths)
        return lengths
    if not isinstance(lengths, Iterable):
        raise TypeError(f"{operation}: lengths must have shape ({batch},), received a {type(lengths).__name__}")
    known = isinstance(lengths, np.ndarray) and lengths.ndim == 1 and np.isdtype(lengths.dtype, "integral")
    if not known or np.min(np.asarray(lengths), initial=0) < 0:
        lengths = [check_whole(operation, "each of lengths", length, 0) for length in lengths]
    n = np.asarray(lengths, dtype=np.intp)
    if n.shape != (batch,):
        raise ValueError(f"{operation}: lengths must have shape ({batch},), received {n.shape}")
    if batch and n.max() > steps:
        raise ValueError(f"{operation}: lengths must lie in 0 … {steps}, received {n.tolist()}")
    return n
