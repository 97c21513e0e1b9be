"""Elman, LSTM and GRU over NumPy arrays, in place: what `Cell.scan` and `Cell.scan_backward` do, in less time.

Inside, arrays are feature-major, (G·H, B): the gates of a step then lie one after the other in memory, and matrix
products of this form are the faster ones. A run is cut into chunks of steps. What does not depend on the state (the
input's product, the factors by which a derivative multiplies gradients, the weights' gradients) is made for a whole
chunk at once; what is left of a step is one product and a few operations in place. σ(x) is ½ + ½ tanh(x / 2), and the ½
of the argument is taken into the weights.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np

from rnncore.activations import ACTIVATIONS
from rnncore.backend import transposed
from rnncore.memory import empty

__all__ = ["ElmanKernel", "GRUKernel", "Kernel", "LSTMKernel"]

Array = Any
CHUNK = 512  # rows of a product: enough to be fast
NARROW = 4  # sequences: of no more, a product costs the reading of its matrix, however it lies
GROUP = 128  # rows whose factors are made at once: few enough to be read again from the cache


class Kernel(ABC):
    """The run of a cell with maps wx = x W + b and uh = h U. A kernel says how its gates lie, and what one step is.

    A step keeps `kept` arrays (H, B) for its derivative; U's product is made in the first of them. The derivative fills
    `da`, gates (H, B) of which `inputs` are those of wx and `recurrent` those of uh.
    """

    W_gates: tuple[int, ...]  # the cell's gates in this kernel's order
    U_gates: tuple[int, ...]
    W_halved: slice  # of them, those under a σ
    U_halved: slice
    kept: int
    factored: int  # how many factors `factors` gives
    gates: int
    inputs: slice
    recurrent: slice
    direct: bool  # does a part of dh go back beside the path through U?

    @abstractmethod
    def advance(self, cell: Any, wx: Array, kept: Array, state: list[Array], spare: Array) -> None:
        """One step: fill `kept` and replace the contents of `state`; wx (Gx·H, B), `spare` (H, B)."""

    @abstractmethod
    def factors(self, cell: Any, kept: Array, out: Array) -> None:
        """Of several steps (S, kept, H, B) at once, what `retreat` multiplies with: out (S, factored, H, B)."""

    @abstractmethod
    def retreat(self, factors: Array, kept: Array, dstate: list[Array], da: Array, spare: Array) -> None:
        """The derivative of a step but for U's product: fill `da`; of dstate leave what goes back directly."""

    def others(self, cell: Any, da: Array) -> dict[str, Array]:
        """Gradients of other parameters than W, U and b, from the sum of da over all rows, (gates, H)."""
        return {}

    # -- the run

    def scan(self, cell: Any, rows: Array, state: tuple[Array, ...], sizes: tuple[int, ...]) -> tuple[Array, Any, Any]:
        """As `Cell.scan`."""
        size, width = cell.U.shape[0], state[0].shape[0]
        W, b = (self._order(m, self.W_gates, self.W_halved) for m in (cell.W, cell.b[None]))
        U = self._order(cell.U, self.U_gates, self.U_halved)
        U = transposed(U) if width > NARROW else U.T
        ys = empty((len(rows), size), rows.dtype)
        flat = empty((len(rows) * self.kept * size,), rows.dtype)
        kept, starts, chunks = _blocks(flat, sizes, self.kept, size), _starts(sizes), _chunks(sizes)
        products = [k[: len(self.U_gates)].reshape(len(U), n) for k, n in zip(kept, sizes, strict=True)]
        spare = np.empty((size, width), rows.dtype)
        running, ended = [_columns(s) for s in state], [np.empty_like(s) for s in state]
        longest = max((starts[c.stop] - starts[c.start] for c in chunks), default=0)
        chunked = empty((W.shape[1], longest), rows.dtype)
        for steps in chunks:
            start, stop = starts[steps.start], starts[steps.stop]
            wx = chunked[:, : stop - start]
            np.matmul(W.T, rows[start:stop].T, out=wx)
            wx += b.T
            for t in steps:
                n, at = sizes[t], starts[t]
                if n < width:
                    for i, s in enumerate(running):
                        ended[i][n:width] = s[:, n:].T
                        running[i] = s[:, :n].copy()
                    spare, width = np.empty((size, n), rows.dtype), n
                np.matmul(U, running[0], out=products[t])
                self.advance(cell, wx[:, at - start : at - start + n], kept[t], running, spare)
                ys[at : at + n] = running[0].T
        for s, e in zip(running, ended, strict=True):
            e[:width] = s.T
        return ys, tuple(ended), (flat, state[0], ys)

    def scan_backward(
        self,
        cell: Any,
        rows: Array,
        dys: Array | None,
        dstate: tuple[Array, ...],
        caches: Any,
        sizes: tuple[int, ...],
        cuts: list[bool],
    ) -> tuple[Array, Any, Any]:
        """As `Cell.scan_backward`."""
        flat, h, ys = caches
        W, U = self._order(cell.W, self.W_gates), self._order(cell.U, self.U_gates)
        size, dtype = cell.U.shape[0], rows.dtype
        kept, starts, chunks = _blocks(flat, sizes, self.kept, size), _starts(sizes), _chunks(sizes)
        longest = max((starts[c.stop] - starts[c.start] for c in chunks), default=0)
        width = 0
        running = [np.empty((size, 0), dtype) for _ in dstate]
        dxs = empty(rows.shape, dtype)
        dW, dU = np.zeros(W.shape[::-1], dtype), np.zeros(U.shape[::-1], dtype)
        dW_part, dU_part, total = np.empty_like(dW), np.empty_like(dU), np.zeros(self.gates * size, dtype)
        das = empty((self.gates * size, longest), dtype)
        factors, ones = empty((longest * self.factored * size,), dtype), np.ones(longest, dtype)
        for steps in reversed(chunks):
            start, stop = starts[steps.start], starts[steps.stop]
            for group in reversed(_groups(steps, sizes)):
                n = sizes[group.start]
                if n > width:
                    ends = (d[width:n].T for d in dstate)
                    running = [np.concatenate([s, e], axis=1) for s, e in zip(running, ends, strict=True)]
                    spare, width = np.empty((size, n), dtype), n
                    da = np.empty((self.gates, size, n), dtype)
                    joined = da.reshape(-1, n)
                    back = joined[self._rows(self.recurrent, size)]
                made = self._factors(cell, flat, starts[group.start], len(group), n, size, factors)
                for t, part in zip(reversed(group), reversed(made), strict=True):
                    at = starts[t]
                    if dys is not None:
                        running[0] += dys[at : at + n].T
                    self.retreat(part, kept[t], running, da, spare)
                    das[:, at - start : at - start + n] = joined
                    if self.direct:
                        running[0] += np.matmul(U, back, out=spare)
                    else:
                        np.matmul(U, back, out=running[0])
                    if cuts[t]:
                        for s in running:
                            s[...] = 0
            chunk = das[:, : stop - start]
            dwx, duh = chunk[self._rows(self.inputs, size)], chunk[self._rows(self.recurrent, size)]
            dW += np.matmul(dwx, rows[start:stop], out=dW_part)
            dU += np.matmul(duh, _before(ys, h, steps, sizes, starts), out=dU_part)
            total += chunk @ ones[: stop - start]
            np.matmul(dwx.T, W.T, out=dxs[start:stop])
        dold = tuple(np.concatenate([s.T, d[width:]]) for s, d in zip(running, dstate, strict=True))
        sums = total.reshape(self.gates, size)
        db = sums[self.inputs].reshape(-1, 1)
        grads = {"W": self._restore(dW, self.W_gates), "U": self._restore(dU, self.U_gates)}
        grads["b"] = self._restore(db, self.W_gates)[0]
        return dxs, dold, replace(cell, **grads, **self.others(cell, sums))

    def _factors(self, cell: Any, flat: Array, start: int, steps: int, n: int, size: int, out: Array) -> list[Array]:
        """The factors of each of some steps of n rows, of which the first begins at packed row `start`."""
        each, shape = self.kept * size, (size, n)
        kept = flat[each * start : each * (start + steps * n)].reshape(steps, self.kept, *shape)
        made = out[: steps * n * self.factored * size].reshape(steps, self.factored, *shape)
        self.factors(cell, kept, made)
        return list(made)

    @staticmethod
    def _order(matrix: Array, gates: tuple[int, ...], halved: slice = slice(0, 0)) -> Array:
        """(N, G·H) with gates in this order, some of them halved; a copy only where something changes."""
        parts = matrix.reshape(len(matrix), len(gates), -1)
        if gates != tuple(range(len(gates))):
            parts = parts[:, list(gates)]
        if halved.stop:
            parts = parts.copy()
            parts[:, halved] *= 0.5
        return parts.reshape(matrix.shape)

    @staticmethod
    def _restore(matrix: Array, gates: tuple[int, ...]) -> Array:
        """(G·H, N) with gates in this order → (N, G·H) in the cell's."""
        parts = matrix.reshape(len(gates), -1, matrix.shape[1])
        return transposed(parts[np.argsort(gates)].reshape(matrix.shape))

    @staticmethod
    def _rows(gates: slice, size: int) -> slice:
        return slice(gates.start * size, gates.stop * size)


class ElmanKernel(Kernel):
    """h' = φ(wx + uh)."""

    W_gates = U_gates = (0,)
    W_halved = U_halved = slice(0, 0)
    kept = factored = gates = 1
    inputs = recurrent = slice(0, 1)
    direct = False

    def advance(self, cell: Any, wx: Array, kept: Array, state: list[Array], spare: Array) -> None:
        y = kept[0]
        y += wx
        phi, _ = cell.functions
        if phi is ACTIVATIONS["tanh"][0]:
            np.tanh(y, out=y)
        else:
            y[...] = phi(y)
        state[0] = y

    def factors(self, cell: Any, kept: Array, out: Array) -> None:
        phi, derivative = cell.functions
        if phi is ACTIVATIONS["tanh"][0]:
            np.multiply(kept, kept, out=out)
            np.subtract(1, out, out=out)
        else:
            out[...] = derivative(kept)

    def retreat(self, factors: Array, kept: Array, dstate: list[Array], da: Array, spare: Array) -> None:
        np.multiply(factors[0], dstate[0], out=da[0])


class LSTMKernel(Kernel):
    """Gates i f o g, the first three under a σ; kept with f ⊙ c and tanh(c')."""

    W_gates = U_gates = (0, 1, 3, 2)
    W_halved = U_halved = slice(0, 3)
    kept = 6
    factored = 5
    gates = 4
    inputs = recurrent = slice(0, 4)
    direct = False

    def advance(self, cell: Any, wx: Array, kept: Array, state: list[Array], spare: Array) -> None:
        a, sigmoids = kept[:4], kept[:3]
        i, f, o, g, fc, tanh_c = kept
        h, c = state
        a += wx.reshape(a.shape)
        np.tanh(a, out=a)
        sigmoids *= 0.5
        sigmoids += 0.5
        np.multiply(f, c, out=fc)
        np.multiply(i, g, out=spare)
        np.add(fc, spare, out=c)
        np.tanh(c, out=tanh_c)
        np.multiply(o, tanh_c, out=h)

    def factors(self, cell: Any, kept: Array, out: Array) -> None:
        i, _, o, g, fc, tanh_c = (kept[:, k] for k in range(6))
        to_i, to_f, to_o, to_g, to_c = (out[:, k] for k in range(5))
        np.subtract(1, kept[:, :3], out=out[:, :3])
        to_i *= i
        to_i *= g
        to_f *= fc
        to_o *= o
        to_o *= tanh_c
        np.multiply(g, g, out=to_g)
        np.subtract(1, to_g, out=to_g)
        to_g *= i
        np.multiply(tanh_c, tanh_c, out=to_c)
        np.subtract(1, to_c, out=to_c)
        to_c *= o

    def retreat(self, factors: Array, kept: Array, dstate: list[Array], da: Array, spare: Array) -> None:
        dh, dc = dstate
        np.multiply(factors[4], dh, out=spare)
        dc += spare
        np.multiply(factors[:4], dc, out=da)
        np.multiply(factors[2], dh, out=da[2])
        dc *= kept[1]


class GRUKernel(Kernel):
    """Gates n r z of W, r z n of U; kept: r, z, n_h + b_hn, n and z ⊙ (h - n). In da: those of wx's n, r, z, uh's n."""

    W_gates = (2, 0, 1)
    U_gates = (0, 1, 2)
    W_halved = slice(1, 3)
    U_halved = slice(0, 2)
    kept = 5
    factored = 4
    gates = 4
    inputs = slice(0, 3)
    recurrent = slice(1, 4)
    direct = True

    def advance(self, cell: Any, wx: Array, kept: Array, state: list[Array], spare: Array) -> None:
        gates = kept[:2]
        r, z, n_h, n, zd = kept
        (h,) = state
        wx = wx.reshape(3, *h.shape)
        gates += wx[1:]
        np.tanh(gates, out=gates)
        gates *= 0.5
        gates += 0.5
        n_h += cell.b_hn[:, None]
        np.multiply(r, n_h, out=n)
        n += wx[0]
        np.tanh(n, out=n)
        np.subtract(h, n, out=zd)
        zd *= z
        np.add(n, zd, out=h)

    def factors(self, cell: Any, kept: Array, out: Array) -> None:
        r, z, n_h, n, zd = (kept[:, k] for k in range(5))
        to_n, to_r, to_z, to_nh = (out[:, k] for k in range(4))
        np.multiply(n, n, out=to_r)
        np.subtract(1, to_r, out=to_r)
        np.subtract(1, z, out=to_z)
        np.multiply(to_r, to_z, out=to_n)
        to_z *= zd
        np.multiply(to_n, r, out=to_nh)
        np.subtract(1, r, out=to_r)
        to_r *= to_nh
        to_r *= n_h

    def retreat(self, factors: Array, kept: Array, dstate: list[Array], da: Array, spare: Array) -> None:
        (dh,) = dstate
        np.multiply(factors, dh, out=da)
        dh *= kept[1]

    def others(self, cell: Any, da: Array) -> dict[str, Array]:
        return {"b_hn": da[3].copy()}


def _columns(state: Array) -> Array:
    return state.T.copy(order="C")


def _starts(sizes: tuple[int, ...]) -> list[int]:
    """The first packed row of each step, and the end."""
    return [0, *accumulate(sizes)]


def _blocks(flat: Array, sizes: tuple[int, ...], planes: int, size: int) -> list[Array]:
    """Views (planes, H, B) of a flat array, one for each step."""
    each = planes * size
    starts = _starts(sizes)
    return [flat[each * s : each * (s + n)].reshape(planes, size, n) for s, n in zip(starts, sizes, strict=False)]


def _chunks(sizes: tuple[int, ...]) -> list[range]:
    """Steps in ranges of at most CHUNK rows, but of one step at least."""
    chunks, first, rows = [], 0, 0
    for t, n in enumerate(sizes):
        if rows and rows + n > CHUNK:
            chunks.append(range(first, t))
            first, rows = t, 0
        rows += n
    return [*chunks, range(first, len(sizes))] if sizes else []


def _groups(steps: range, sizes: tuple[int, ...]) -> list[range]:
    """Steps of one size in ranges of at most GROUP rows, but of one step at least."""
    groups, first = [], steps.start
    for t in steps:
        if sizes[t] != sizes[first] or (t > first and (t + 1 - first) * sizes[t] > GROUP):
            groups.append(range(first, t))
            first = t
    return [*groups, range(first, steps.stop)]


def _before(ys: Array, h: Array, steps: range, sizes: tuple[int, ...], starts: list[int]) -> Array:
    """The rows of the state before each of `steps`."""
    if steps.start and sizes[steps.start - 1] == sizes[steps.stop - 1]:
        return ys[starts[steps.start - 1] : starts[steps.stop - 1]]
    parts = [ys[starts[t - 1] : starts[t - 1] + sizes[t]] if t else h[: sizes[0]] for t in steps]
    return np.concatenate(parts)
