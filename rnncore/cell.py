"""What a recurrent cell is: its parameters, a step forward, and that step's derivative.

Notation, everywhere in `rnncore`: T time, B batch, D input, H hidden; arrays are time-major (T, B, D) and vectors are
rows, so an affine map reads `x @ W + b`.
"""

import dataclasses
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Self, TypeVar, cast

from rnncore import engines, tree
from rnncore.backend import (
    Array,
    affine,
    array_namespace,
    check_array,
    check_finite,
    check_floating,
    check_whole,
    concat,
    device,
    joined,
    transposed,
)
from rnncore.recurrence import Packing, Segment, State, Tape

__all__ = ["AffineCell", "Cell", "InputCell", "Others", "Product", "TimedCell", "gathered"]

C = TypeVar("C", bound="Cell")


@dataclass(frozen=True)
class Cell(ABC):
    """A recurrent cell: a frozen dataclass whose fields are its parameters.

    A cell defines four functions. `project` does the part of a step that needs no state, for all steps at once;
    `advance` does the rest of one step and `retreat` is its derivative; `gradients` turns what `retreat` left at every
    step into the gradients of inputs and parameters. `step` and `forward` are put together from these, and so are
    their derivatives. The gradient of a cell is a cell of the same class.

    A cell is equal to itself alone, as are layers and models, and hashed by that: equal numbers are the business of
    `rnncore.testing.assert_close`.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.__eq__, cls.__hash__ = object.__eq__, object.__hash__  # type: ignore[method-assign]

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

    # -- what a cell may define

    kernel: ClassVar[Any] = None
    """The same run made fast for NumPy arrays: an object with `scan` and `scan_backward`, see `rnncore.kernels.cpu`."""

    def retreating(self) -> Callable[[State, Any], tuple[Array, State, Any]]:
        """`retreat`, for all steps of a run: what they share is made here, once."""
        return self.retreat

    def effective(self) -> "Cell":
        """The cell whose steps are run: this one, unless its parameters stand for others, such as U = exp(A - Aᵀ).

        It is made once for a sequence. Its inputs and states have the shapes of this cell's.
        """
        return self

    def effective_backward(self, grads: Any) -> Self:
        """The derivative of `effective`: gradient of this cell's parameters from that of the effective cell's."""
        return cast(Self, grads)

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
        cell = self.effective()
        state, cache = cell.advance(cell.project(x), state)
        return state, (x, cell, cache)

    def step_backward(self, dstate: State, cache: Any) -> tuple[Array, State, Self]:
        """Gradients of `step`: from that of the new state to those of x, the old state and the parameters."""
        operation = f"{type(self).__name__}.step_backward"
        if not isinstance(cache, tuple) or len(cache) != 3:
            raise TypeError(f"{operation}: cache must be what step returned last, received a {type(cache).__name__}")
        x, cell, step_cache = cache
        self._check_state(operation, "dstate", dstate, x.shape[0])
        dprojected, dstate, residue = cell.retreat(dstate, step_cache)
        dx, grads = cell.gradients(x, dprojected, [residue])
        return dx, dstate, self.effective_backward(grads)

    def forward(
        self,
        xs: Array,
        state: State | None = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
    ) -> tuple[Array, State, Tape]:
        """Run over whole sequences.

        Args:
            xs: inputs (T, B, D).
            state: the initial state; zeros where None.
            lengths: (B,), how many steps of each sequence are valid; all T where None. Outputs beyond a sequence's
                end are zeros, and its final state is the one after its last valid step.
            reverse: read each sequence from its own last step to its first; `ys[t]` still belongs to `xs[t]`.
            checkpoint: keep the state before steps 0, k, 2k, … alone, and let `backward` run each k steps again: the
                same gradients from T / k states and k caches instead of T caches; least for k about √T.

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
        if checkpoint is not None:
            checkpoint = check_whole(operation, "checkpoint", checkpoint, 1)
        packing = Packing.of(operation, steps, batch, lengths, reverse)
        rows, cell, state = packing.pack(xs), self.effective(), packing.sort(state)
        outputs, segments = [], []
        for start, stop in _spans(len(packing.sizes), checkpoint):
            before = state
            ys, state, caches = cell.scan(packing.rows(rows, start, stop), state, packing.sizes[start:stop])
            outputs.append(ys)
            segments.append(Segment(start, stop, before, None if checkpoint else caches))
        ys = outputs[0] if len(outputs) == 1 else concat(*outputs, axis=0)
        return packing.unpack(ys), packing.unsort(state), Tape(rows, segments, packing, cell, tree.form(self))

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
        tree.check_form(operation, tape.form, self)
        packing, cell = tape.packing, tape.cell
        if dys is not None:
            shape = (packing.steps, packing.batch, *self.state_shapes[0])
            check_array(operation, "dys", dys, shape, self._like)
        if dstate is None:
            dstate = self.initial_state(packing.batch)
        self._check_state(operation, "dstate", dstate, packing.batch)
        if window is not None:
            window = check_whole(operation, "window", window, 1)
        drows, dstate = None if dys is None else packing.pack(dys), packing.sort(dstate)
        dinputs, total = [], None
        for segment in reversed(tape.segments):
            start, stop, caches = segment.start, segment.stop, segment.caches
            rows, sizes = packing.rows(tape.xs, start, stop), packing.sizes[start:stop]
            if caches is None:
                _, _, caches = cell.scan(rows, segment.state, sizes)
            douts = None if drows is None else packing.rows(drows, start, stop)
            cuts = [bool(window and t and t % window == 0) for t in range(start, stop)]
            dxs, dstate, grads = cell.scan_backward(rows, douts, dstate, caches, sizes, cuts)
            dinputs.append(dxs)
            total = grads if total is None else tree.map(operator.add, total, grads)
        dxs = dinputs[0] if len(dinputs) == 1 else concat(*reversed(dinputs), axis=0)
        return packing.unpack(dxs), packing.unsort(dstate), self.effective_backward(total)

    def scan(self, rows: Array, state: State, sizes: tuple[int, ...]) -> tuple[Array, State, Any]:
        """Run over packed rows (N, …), sizes[t] of them at step t: outputs (N, …), final state, and caches."""
        engine = engines.chosen(self, rows, sizes)
        ys, state, caches = engine.scan(self, rows, state, sizes)
        return ys, state, (engine, caches)

    def scan_backward(
        self, rows: Array, dys: Array | None, dstate: State, caches: Any, sizes: tuple[int, ...], cuts: list[bool]
    ) -> tuple[Array, State, Self]:
        """The derivative of `scan`: gradients of the rows, of the initial state and of the parameters.

        Nothing flows back from a step t with cuts[t] to the one before.
        """
        engine, caches = caches
        found: tuple[Array, State, Self] = engine.scan_backward(self, rows, dys, dstate, caches, sizes, cuts)
        return found

    @property
    def _like(self) -> Array:
        return tree.first(self)

    def _check_options(self, **least: float) -> None:
        """The named static fields must be finite numbers from `least` on.

        They become Python's own floats: a float64 of NumPy would widen float32 arrays.
        """
        for name, bound in least.items():
            value = check_finite(type(self).__name__, name, getattr(self, name), bound)
            object.__setattr__(self, name, value)

    def _check_state(self, operation: str, name: str, state: State, batch: int) -> None:
        if not isinstance(state, tuple) or len(state) != len(self.state_shapes):
            received = f"a tuple of {len(state)}" if isinstance(state, tuple) else f"a {type(state).__name__}"
            raise TypeError(
                f"{operation}: {name} must be a tuple of {len(self.state_shapes)} arrays, received {received}"
            )
        like = self._like
        for i, (part, shape) in enumerate(zip(state, self.state_shapes, strict=True)):
            check_array(operation, f"{name}[{i}]", part, (batch, *shape), like)


@dataclass(frozen=True)
class Product:
    """The gradient left.T @ right of a matrix, to be made for all steps at once; left (B, M), right (B, N).

    Without a right factor that is the gradient of wx, which is there for all steps already. Of a parameter with more
    axes than two it is the gradient laid out as a matrix.
    """

    left: Array
    right: Array | None


Others = dict[str, Any]
"""What a step adds to the gradients of parameters, by name: a `Product`; or an array (B, …), to be summed over all its
axes but the parameter's own; or for a tuple of parameters a tuple of these."""


@dataclass(frozen=True)
class InputCell(Cell):
    """A cell with an affine map of its input alone, wx = x W + b; the state enters in `pointwise(wx, state)`.

    The product is made for all steps before the loop, and its gradients after it.

    Shapes: W (D, G·H), b (G·H,) for G gates side by side.
    """

    W: Array
    b: Array

    def __post_init__(self) -> None:
        _check_input_map(self)

    @abstractmethod
    def pointwise(self, wx: Array, state: State) -> tuple[State, Any]:
        """The new state from wx (B, G·H) and the old state; and a cache."""

    @abstractmethod
    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, State, Others]:
        """Gradients of wx, of the old state, and of other parameters than W and b."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    def project(self, xs: Array) -> Array:
        return affine(xs, self.W, self.b)

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        return self.pointwise(projected, state)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        return self.pointwise_backward(dstate, cache)

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dW, db = xs.T @ dprojected, array_namespace(xs).sum(dprojected, axis=0)
        return dprojected @ self.W.T, gathered(self, residues, W=dW, b=db)


@dataclass(frozen=True)
class TimedCell(Cell):
    """A cell that is told how much time passed: an input (x, Δt) ends with the time since the step before.

    wx = x W + b is made for all steps before the loop, and its gradients after it; all else is in
    `pointwise(wx, dt, state)`. No time passes backwards: of a negative Δt the magnitude counts.

    Shapes: input (B, D + 1); W (D, G·H), b (G·H,).
    """

    W: Array
    b: Array

    def __post_init__(self) -> None:
        _check_input_map(self)

    @abstractmethod
    def pointwise(self, wx: Array, dt: Array, state: State) -> tuple[State, Any]:
        """The new state from wx (B, G·H), dt (B, 1) ≥ 0 and the old state; and a cache."""

    @abstractmethod
    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, Array, State, Others]:
        """Gradients of wx, of dt (B, 1), of the old state, and of other parameters than W and b."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0] + 1,)

    def project(self, xs: Array) -> Array:
        x, dt = xs[:, :-1], xs[:, -1:]
        return concat(affine(x, self.W, self.b), array_namespace(xs).where(dt < 0, -dt, dt))

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        return self.pointwise(projected[:, :-1], projected[:, -1:], state)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        dwx, ddt, dstate, others = self.pointwise_backward(dstate, cache)
        return concat(dwx, ddt), dstate, others

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        xp, x, dt = array_namespace(xs), xs[:, :-1], xs[:, -1:]
        dwx, ddt = dprojected[:, :-1], dprojected[:, -1:]
        dxs = concat(dwx @ self.W.T, xp.where(dt < 0, -ddt, ddt))
        return dxs, gathered(self, residues, W=x.T @ dwx, b=xp.sum(dwx, axis=0))


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
        _check_input_map(self)
        check_array(type(self).__name__, "U", self.U, ("H", "G·H"), self.W)

    def _check_gates(self, count: int) -> None:
        """W must be (D, count·H), U (H, count·H)."""
        hidden_size, operation = self.U.shape[0], type(self).__name__
        check_array(operation, "U", self.U, (hidden_size, count * hidden_size), self.W)
        check_array(operation, "W", self.W, (self.W.shape[0], count * hidden_size), self.W)

    @abstractmethod
    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Any]:
        """The new state from wx, uh (B, G·H) and the old state; and a cache."""

    @abstractmethod
    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, Array, State, Others]:
        """Gradients of wx, of uh, of the old state beside the path through uh (0 for h where there is none), and of
        other parameters than W, U and b."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.U.shape[0],),)

    def project(self, xs: Array) -> Array:
        return affine(xs, self.W, self.b)

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        new, cache = self.pointwise(projected, state[0] @ self.U, state)
        return new, (state[0], cache)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        return self._retreat(self.U.T, dstate, cache)

    def retreating(self) -> Callable[[State, Any], tuple[Array, State, Any]]:
        return partial(self._retreat, transposed(self.U))

    def _retreat(self, U_transposed: Array, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        h, step_cache = cache
        dwx, duh, (dh, *rest), others = self.pointwise_backward(dstate, step_cache)
        right = None if duh is dwx else duh
        return dwx, (dh + duh @ U_transposed, *rest), others | {"U": Product(h, right)}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dW, db = xs.T @ dprojected, array_namespace(xs).sum(dprojected, axis=0)
        return dprojected @ self.W.T, gathered(self, residues, dprojected, W=dW, b=db)


def gathered(cell: C, residues: list[Others], dwx: Array | None = None, **known: Array) -> C:
    """The gradient of a cell: what is `known`, and for the other parameters the sum of what each step adds.

    `dwx` are the rows that a `Product` without a right factor means.
    """
    fields = [f.name for f in dataclasses.fields(cell) if not f.metadata.get("static") and f.name not in known]
    if residues and (missing := set(fields) - set(residues[0])):
        raise TypeError(f"{type(cell).__name__}: its derivative gives no gradient of {', '.join(sorted(missing))}")
    others = {name: _sum([residue[name] for residue in residues], getattr(cell, name), dwx) for name in fields}
    return dataclasses.replace(cell, **known, **others)


def _sum(parts: list[Any], like: Any, dwx: Array | None) -> Any:
    """The sum over all steps of what each adds to the gradient of a parameter `like`."""
    if isinstance(like, tuple):
        return tuple(_sum([part[i] for part in parts], p, dwx) for i, p in enumerate(like))
    xp = array_namespace(like)
    if not parts:
        return xp.zeros_like(like)
    if isinstance(parts[0], Product):
        left = joined([p.left for p in parts])
        right = dwx if parts[0].right is None else joined([p.right for p in parts])
        return xp.reshape(left.T @ right, like.shape)
    return xp.sum(xp.reshape(joined(parts), (-1, *like.shape)), axis=0)


def _check_input_map(cell: Any) -> None:
    operation = type(cell).__name__
    check_floating(operation, "W", cell.W)
    check_array(operation, "W", cell.W, ("D", "G·H"), cell.W)
    check_array(operation, "b", cell.b, (cell.W.shape[1],), cell.W)


def _spans(steps: int, length: int | None) -> list[tuple[int, int]]:
    """0 … steps in pieces of `length`, in one where None."""
    length = length or max(1, steps)
    return [(start, min(start + length, steps)) for start in range(0, max(1, steps), length)]
