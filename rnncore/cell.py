"""What a recurrent cell is: its parameters, a step forward, and that step's derivative.

Notation, everywhere in `rnncore`: T time, B batch, D input, H hidden; arrays are time-major (T, B, D) and vectors are
rows, so an affine map reads `x @ W + b`.
"""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from rnncore import recurrence, tree
from rnncore.backend import Array, array_namespace, check_array, check_floating, check_whole, concat, device
from rnncore.recurrence import Packing, State, Tape

__all__ = ["AffineCell", "Cell"]


@dataclass(frozen=True)
class Cell(ABC):
    """A recurrent cell: a frozen dataclass whose fields are its parameters.

    A cell defines four functions. `project` does the part of a step that needs no state, for all steps at once;
    `advance` does the rest of one step and `retreat` is its derivative; `gradients` turns what `retreat` left at every
    step into the gradients of inputs and parameters. `step` and `forward` are put together from these, and so are
    their derivatives. The gradient of a cell is a cell of the same class.
    """

    # -- what a cell defines

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sequence's input at one step, such as (D,)."""

    @property
    @abstractmethod
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of one sequence's state, such as ((H,), (H,)); the first is the output's."""

    @abstractmethod
    def project(self, xs: Array) -> Array:
        """The part of a step that needs no state, for rows xs (N, …) of any steps: (N, …)."""

    @abstractmethod
    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        """One step from projected inputs (B, …) and the old state: the new state, and a cache for `retreat`."""

    @abstractmethod
    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        """The derivative of `advance`: gradients of its two arguments, and what `gradients` needs of this step."""

    @abstractmethod
    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        """Gradients of rows xs (N, …) and of the parameters, from those of the projected rows and from all residues."""

    # -- what every cell then has

    def initial_state(self, batch_size: int) -> State:
        """A state of zeros for `batch_size` sequences, of the parameters' dtype, on their device."""
        check_whole(f"{type(self).__name__}.initial_state", "batch_size", batch_size, 0)
        like = self._like
        xp = array_namespace(like)
        return tuple(xp.zeros((batch_size, *s), dtype=like.dtype, device=device(like)) for s in self.state_shapes)

    def step(self, x: Array, state: State) -> tuple[State, Any]:
        """One step: x (B, D) and the old state give the new state, and a cache for `step_backward`."""
        operation = f"{type(self).__name__}.step"
        check_array(operation, "x", x, ("B", *self.input_shape), self._like)
        self._check_state(operation, "state", state, x.shape[0])
        state, cache = self.advance(self.project(x), state)
        return state, (x, cache)

    def step_backward(self, dstate: State, cache: Any) -> tuple[Array, State, Self]:
        """Gradients of `step`: from that of the new state to those of x, the old state and the parameters."""
        operation = f"{type(self).__name__}.step_backward"
        if not isinstance(cache, tuple) or len(cache) != 2:
            raise TypeError(f"{operation}: cache must be what step returned last, received a {type(cache).__name__}")
        x, step_cache = cache
        self._check_state(operation, "dstate", dstate, x.shape[0])
        dprojected, dstate, residue = self.retreat(dstate, step_cache)
        dx, grads = self.gradients(x, dprojected, [residue])
        return dx, dstate, grads

    def forward(
        self, xs: Array, state: State | None = None, lengths: Iterable[int] | None = None, reverse: bool = False
    ) -> tuple[Array, State, Tape]:
        """Run over whole sequences.

        Args:
            xs: inputs (T, B, D).
            state: the initial state; zeros where None.
            lengths: (B,), how many steps of each sequence are valid; all T where None. Outputs beyond a sequence's
                end are zeros, and its final state is the one after its last valid step.
            reverse: read each sequence from its own last step to its first; `ys[t]` still belongs to `xs[t]`.

        Returns:
            outputs ys (T, B, H), the final state, and the tape that `backward` reads.

        Raises:
            TypeError, ValueError: an argument of another dtype, library, device or shape than the parameters ask for.
        """
        operation = f"{type(self).__name__}.forward"
        check_array(operation, "xs", xs, ("T", "B", *self.input_shape), self._like)
        steps, batch = xs.shape[:2]
        if state is None:
            state = self.initial_state(batch)
        self._check_state(operation, "state", state, batch)
        packing = Packing.of(operation, steps, batch, lengths, reverse)
        rows = packing.pack(xs)
        ys, state, caches = recurrence.forward(self.advance, self.project(rows), state, packing)
        return packing.unpack(ys), state, Tape(rows, caches, packing, self._form)

    def backward(
        self, dys: Array | None, tape: Tape, dstate: State | None = None, window: int | None = None
    ) -> tuple[Array, State, Self]:
        """Backpropagation through time.

        Args:
            dys: gradient of the loss with respect to every output (T, B, H); None: the outputs bear no loss.
            tape: what `forward` returned.
            dstate: gradient with respect to the final state; zeros where None.
            window: truncate: nothing flows back across steps window, 2·window, …, counted in reading order.

        Returns:
            gradients of the inputs dxs (T, B, D), of the initial state, and of the parameters (a cell).

        Raises:
            TypeError, ValueError: an argument of another dtype, library, device or shape than the tape asks for, or a
                window that is not a positive whole number.
        """
        operation = f"{type(self).__name__}.backward"
        if not isinstance(tape, Tape):
            raise TypeError(f"{operation}: tape must be what forward returned last, received a {type(tape).__name__}")
        if tape.cell != self._form:
            raise ValueError(f"{operation}: tape must be of {self._form}, received that of {tape.cell}")
        packing = tape.packing
        if dys is not None:
            shape = (packing.steps, packing.batch, *self.state_shapes[0])
            check_array(operation, "dys", dys, shape, self._like)
        if dstate is None:
            dstate = self.initial_state(packing.batch)
        self._check_state(operation, "dstate", dstate, packing.batch)
        if window is not None:
            window = check_whole(operation, "window", window, 1)
        doutputs = None if dys is None else packing.pack(dys)
        dprojected, dstate, residues = recurrence.backward(self.retreat, doutputs, dstate, tape.caches, packing, window)
        joined = concat(self.project(tape.xs[:0]), *dprojected, axis=0)
        dxs, grads = self.gradients(tape.xs, joined, residues)
        return packing.unpack(dxs), dstate, grads

    @property
    def _like(self) -> Array:
        return next(tree.leaves(self))[1]

    @property
    def _form(self) -> str:
        """Class, options, and dtype and shape of each parameter: what a tape and its cell must have in common."""
        options = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.metadata.get("static"))
        shapes = (f"{path}={leaf.dtype}{tuple(leaf.shape)}" for path, leaf in tree.leaves(self))
        return f"{type(self).__name__}({', '.join([*shapes, *options])})"

    def _check_state(self, operation: str, name: str, state: State, batch: int) -> None:
        if not isinstance(state, tuple) or len(state) != len(self.state_shapes):
            received = f"a tuple of {len(state)}" if isinstance(state, tuple) else f"a {type(state).__name__}"
            raise TypeError(
                f"{operation}: {name} must be a tuple of {len(self.state_shapes)} arrays, received {received}"
            )
        for i, (part, shape) in enumerate(zip(state, self.state_shapes, strict=True)):
            check_array(operation, f"{name}[{i}]", part, (batch, *shape), self._like)


@dataclass(frozen=True)
class AffineCell(Cell):
    """A cell of affine maps and a pointwise part: wx = x W + b, uh = h U, then `pointwise(wx, uh, state)`.

    The input product is one matrix product for all steps before the loop, the gradient of each weight matrix one
    product after it. Gates lie side by side in the columns of W, U and b.

    Shapes: W (D, G·H), U (H, G·H), b (G·H,) for G gates; h = state[0] (B, H). Each cell checks its own G, which may be
    smaller for U.
    """

    W: Array
    U: Array
    b: Array

    def __post_init__(self) -> None:
        operation = type(self).__name__
        check_floating(operation, "W", self.W)
        check_array(operation, "W", self.W, ("D", "G·H"), self.W)
        check_array(operation, "U", self.U, ("H", "G·H"), self.W)
        check_array(operation, "b", self.b, (self.W.shape[1],), self.W)

    def _check_gates(self, count: int) -> None:
        """W must be (D, count·H), U (H, count·H)."""
        hidden_size, operation = self.U.shape[0], type(self).__name__
        check_array(operation, "U", self.U, (hidden_size, count * hidden_size), self.W)
        check_array(operation, "W", self.W, (self.W.shape[0], count * hidden_size), self.W)

    @abstractmethod
    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Any]:
        """The new state from wx, uh (B, G·H) and the old state; and a cache."""

    @abstractmethod
    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, Array, State, dict[str, Array]]:
        """Gradients of wx, of uh, of the old state beside the path through uh, and of other parameters by name."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.U.shape[0],),)

    def project(self, xs: Array) -> Array:
        return xs @ self.W + self.b

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        new, cache = self.pointwise(projected, state[0] @ self.U, state)
        return new, (state[0], cache)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        h, step_cache = cache
        dwx, duh, (dh, *rest), others = self.pointwise_backward(dstate, step_cache)
        return dwx, (dh + duh @ self.U.T, *rest), (h, duh, others)

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        xp = array_namespace(xs)
        others = {f.name: xp.zeros_like(getattr(self, f.name)) for f in dataclasses.fields(self) if _is_other(f)}
        h, duh = self.U.T[:0], self.U[:0]
        if residues:
            h = concat(*(r[0] for r in residues), axis=0)
            duh = concat(*(r[1] for r in residues), axis=0)
        for residue in residues:
            others |= {name: others[name] + gradient for name, gradient in residue[2].items()}
        dW, db, dU = xs.T @ dprojected, xp.sum(dprojected, axis=0), h.T @ duh
        return dprojected @ self.W.T, dataclasses.replace(self, W=dW, U=dU, b=db, **others)


def _is_other(field: Any) -> bool:
    return field.name not in ("W", "U", "b") and not field.metadata.get("static")
