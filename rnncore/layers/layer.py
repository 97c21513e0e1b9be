"""What a layer is, and how any layer is run.

A layer is a frozen dataclass whose fields are its parameters, with two verbs:

    ys, cache = layer.forward(xs)                 dxs, grads = layer.backward(dys, cache)
    ys, state, tape = layer.forward(xs, state)    dxs, dstate, grads = layer.backward(dys, tape, dstate, window)

The second form is that of a recurrent layer: a cell, or what is built from cells. Beside xs a layer's `forward` may ask
for `lengths`, `reverse`, `checkpoint` and `rng` by naming them as parameters; `run` gives each layer what it asks for.
So a layer needs no base class, and every layer that holds others holds any.

`rng`, a np.random.Generator, says that the layer is being trained: dropout draws its masks from it. Without it the
layer is evaluated, and nothing is random. Nothing is ever stored on a layer.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncore import recurrence, tree
from rnncore.backend import Array, array_namespace
from rnncore.cell import Cell

__all__ = [
    "Layer",
    "LayerTape",
    "Recurrent",
    "check_lengths",
    "check_rate",
    "check_rng",
    "check_sequences",
    "check_states",
    "check_tape",
    "final",
    "final_backward",
    "initial_state",
    "is_recurrent",
    "options",
    "run",
    "run_backward",
    "zero_padding",
]

Layer = Any
"""Anything with `forward` and `backward` as above: a cell, a layer of this package, or one's own."""


@dataclass(frozen=True, eq=False)
class LayerTape:
    """What the forward pass of a layer that holds others leaves for its backward pass: what theirs left, and of what
    form the layer was."""

    form: Any
    parts: tuple[Any, ...]


class Recurrent(ABC):
    """A recurrent layer that is no cell: the signatures are those of `Cell`, and `rng`. Its state is a tuple, in
    which those of the layers that it holds may be nested."""

    @abstractmethod
    def forward(
        self,
        xs: Array,
        state: Any = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, LayerTape]:
        """Run over whole sequences, as `Cell.forward` does."""

    @abstractmethod
    def backward(
        self, dys: Array | None, tape: LayerTape, dstate: Any = None, window: int | None = None
    ) -> tuple[Array, Any, Any]:
        """Backpropagation through time, as `Cell.backward` does it."""

    @abstractmethod
    def initial_state(self, batch_size: int) -> Any:
        """The state that `forward` starts from where none is given."""

    def final(self, state: Any) -> Array:
        """The output that belongs to a state: after a whole run, what there is to say of the sequence."""
        raise TypeError(f"{type(self).__name__} has no final output")

    def final_backward(self, dfinal: Array, state: Any) -> Any:
        """The derivative of `final`: gradient of the state, from that of the output."""
        raise TypeError(f"{type(self).__name__} has no final output")


# -- running any layer


def run(
    layer: Layer,
    xs: Array,
    state: Any = None,
    lengths: Iterable[int] | None = None,
    reverse: bool = False,
    checkpoint: int | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[Array, Any, Any]:
    """`layer.forward` of any layer in the form of a recurrent one: outputs, final state, and a tape for `run_backward`.

    A layer without a state has the state (), and sees zeros in the padding, as it puts out zeros there.
    """
    offered = {"state": state, "lengths": lengths, "reverse": reverse, "checkpoint": checkpoint, "rng": rng}
    check_rng(f"{type(layer).__name__}.forward", rng)
    asked = options(layer)
    given = {name: value for name, value in offered.items() if name in asked}
    if "state" in asked:
        ys, state, tape = layer.forward(xs, **given)
        return ys, state, tape
    operation = f"{type(layer).__name__}.forward"
    if state not in (None, ()):
        raise TypeError(f"{operation}: state must be () of a layer that has none, received a {type(state).__name__}")
    valid = None
    if lengths is not None:
        check_sequences(operation, "xs", xs)
        valid = recurrence.valid_steps(operation, lengths, xs.shape[0], xs.shape[1], xs)
    ys, cache = layer.forward(zero_padding(xs, valid), **given)
    return zero_padding(ys, valid), (), (cache, valid, ys)


def run_backward(
    layer: Layer, dys: Array | None, tape: Any, dstate: Any = None, window: int | None = None
) -> tuple[Array, Any, Any]:
    """`layer.backward` of any layer, in the form of a recurrent one, from the tape of `run`."""
    if is_recurrent(layer):
        dxs, dstate, grads = layer.backward(dys, tape, dstate, window)
        return dxs, dstate, grads
    cache, valid, ys = tape
    dys = array_namespace(ys).zeros_like(ys) if dys is None else zero_padding(dys, valid)
    dxs, grads = layer.backward(dys, cache)
    return (None if dxs is None else zero_padding(dxs, valid)), (), grads


def is_recurrent(layer: Layer) -> bool:
    """Whether the layer's `forward` takes a state."""
    return "state" in options(layer)


def initial_state(layer: Layer, batch_size: int) -> Any:
    """The state that a layer starts from where none is given."""
    return layer.initial_state(batch_size) if is_recurrent(layer) else ()


def final(layer: Layer, state: Any) -> Array:
    """The output that belongs to a layer's state; of a cell state[0], its last valid output after a whole run."""
    if isinstance(layer, Cell):
        return state[0]
    if not isinstance(layer, Recurrent):
        raise TypeError(f"{type(layer).__name__} has no state, so no final output")
    return layer.final(state)


def final_backward(layer: Layer, dfinal: Array, state: Any) -> Any:
    """The derivative of `final`: gradient of the state, from that of the output."""
    if isinstance(layer, Cell):
        xp = array_namespace(dfinal)
        return (dfinal, *(xp.zeros_like(s) for s in state[1:]))
    return layer.final_backward(dfinal, state)


def zero_padding(xs: Array, valid: Array | None) -> Array:
    """xs (T, B, …) with zeros where `valid` (T, B) is false."""
    if valid is None:
        return xs
    xp = array_namespace(xs)
    return xp.where(xp.reshape(valid, (*valid.shape, *(1,) * (len(xs.shape) - 2))), xs, xp.zeros_like(xs))


def options(layer: Layer) -> Iterable[str]:
    """The names of the parameters of a layer's `forward`."""
    kind = type(layer)
    if kind not in _OPTIONS:
        _OPTIONS[kind] = tuple(inspect.signature(layer.forward).parameters)
    return _OPTIONS[kind]


_OPTIONS: dict[type, tuple[str, ...]] = {}  # to read a signature costs as much as a small product


# -- checks


def check_tape(layer: Layer, tape: Any) -> tuple[Any, ...]:
    """The parts of a tape; TypeError where it is none, ValueError where it is that of another layer."""
    operation = f"{type(layer).__name__}.backward"
    if not isinstance(tape, LayerTape):
        raise TypeError(f"{operation}: tape must be what forward returned last, received a {type(tape).__name__}")
    tree.check_form(operation, tape.form, layer)
    return tape.parts


def check_sequences(operation: str, name: str, xs: Any) -> None:
    """Refuse what has no axes of time and batch; TypeError or ValueError."""
    if not hasattr(xs, "shape"):
        raise TypeError(f"{operation}: {name} must be an array of shape (T, B, …), received a {type(xs).__name__}")
    if len(xs.shape) < 2:
        raise ValueError(f"{operation}: {name} must have shape (T, B, …), received {tuple(xs.shape)}")


def check_lengths(operation: str, name: str, xs: Array, lengths: Iterable[int] | None) -> np.ndarray | None:
    """The lengths of sequences xs (T, B, …), to be read more than once; None where there are none."""
    check_sequences(operation, name, xs)
    return None if lengths is None else recurrence.check_lengths(operation, lengths, xs.shape[0], xs.shape[1])


def check_states(operation: str, name: str, state: Any, count: int) -> tuple[Any, ...]:
    """A state of `count` layers, each None where it is None."""
    if state is None:
        return (None,) * count
    if not isinstance(state, tuple) or len(state) != count:
        received = f"a tuple of {len(state)}" if isinstance(state, tuple) else f"a {type(state).__name__}"
        raise TypeError(f"{operation}: {name} must be a tuple of the states of {count} layers, received {received}")
    return state


def check_rate(operation: str, name: str, rate: Any) -> float:
    """A probability below 1; ValueError."""
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.floating) or not 0 <= rate < 1:
        raise ValueError(f"{operation}: {name} must be a probability in [0, 1), received {rate!r}")
    return float(rate)


def check_rng(operation: str, rng: Any) -> None:
    """Refuse what is neither a np.random.Generator nor None; TypeError."""
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise TypeError(f"{operation}: rng must be a np.random.Generator or None, received a {type(rng).__name__}")
