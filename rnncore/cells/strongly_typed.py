"""Strongly-typed recurrent networks (Balduzzi and Ghifary 2016): no matrix ever acts on the state."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, check_floating, concat, sigmoid, split
from rnncore.cell import Cell, InputCell, Others, gathered
from rnncore.recurrence import State

__all__ = ["TGRU", "TLSTM", "TRNN", "WindowCell"]


@dataclass(frozen=True)
class TRNN(InputCell):
    """The strongly-typed RNN: each unit keeps a running mean of its own feature of the inputs, at a pace they set.

        z, a_f = split(x W + b)
        f = σ(a_f)
        h' = f ⊙ h + (1 - f) ⊙ z

    Shapes: x (B, D), h (B, H); W (D, 2H), b (2H,), in the order z f. State: (h,). Output: h.

    The paper gives z no bias: b_z is zero at first. torchrecurrent's TRNNCell is this cell with W = weight_ih.T and
    b = bias_ih.

    Paper: D. Balduzzi, M. Ghifary, Strongly-typed recurrent neural networks, arXiv 1602.02218, 2016.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, z and f each drawn for itself; zero b."""
        return cls(*_affine(rng, input_size, hidden_size, 2, dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("TRNN", "W", self.W, (self.W.shape[0], 2 * (self.W.shape[1] // 2)), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.W.shape[1] // 2,),)

    def pointwise(self, wx: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        z, f = split(wx, 2)
        f = sigmoid(f)
        return (z + f * (h - z),), (h, z, f)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        (dh,) = dstate
        h, z, f = cache
        dz, dh = dh * (1 - f), dh * f
        return concat(dz, dz * (h - z) * f), (dh,), {}


@dataclass(frozen=True)
class WindowCell(Cell):
    """A cell whose gates see the present input x and the one before, x⁻: a = x W + x⁻ V + b; abstract.

    The last part of the state is v = x⁻ V, zero where nothing was read. So both products are made for all steps at
    once; which is why this is no InputCell, whose input meets one matrix only.

    Shapes: W and V (D, 3H), b (3H,); v (B, 3H).
    """

    W: Array
    V: Array
    b: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and V, each gate drawn for itself; zero b."""
        W, b = _affine(rng, input_size, hidden_size, 3, dtype)
        V, _ = _affine(rng, input_size, hidden_size, 3, dtype)
        return cls(W, V, b)

    def __post_init__(self) -> None:
        operation = type(self).__name__
        check_floating(operation, "W", self.W)
        check_array(operation, "W", self.W, ("D", "3·H"), self.W)
        check_array(operation, "W", self.W, (self.W.shape[0], 3 * (self.W.shape[1] // 3)), self.W)
        check_array(operation, "V", self.V, tuple(self.W.shape), self.W)
        check_array(operation, "b", self.b, (self.W.shape[1],), self.W)

    @abstractmethod
    def pointwise(self, a: Array, state: State) -> tuple[State, Any]:
        """The new state from a (B, 3H) and the old one, both without v; and a cache."""

    @abstractmethod
    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, State]:
        """Gradients of a and of the old state, without v."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    def project(self, xs: Array) -> Array:
        return xs @ concat(self.W, self.V)

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        *old, v = state
        wx, v_new = split(projected, 2)
        new, cache = self.pointwise(wx + v + self.b, tuple(old))
        return (*new, v_new), cache

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Others]:
        *dnew, dv_new = dstate
        da, dold = self.pointwise_backward(tuple(dnew), cache)
        return concat(da, dv_new), (*dold, da), {"b": da}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Others]) -> tuple[Array, Self]:
        dW, dV = split(xs.T @ dprojected, 2)
        return dprojected @ concat(self.W, self.V).T, gathered(self, residues, W=dW, V=dV)


@dataclass(frozen=True)
class TGRU(WindowCell):
    """The strongly-typed GRU: what is added is a feature of two inputs times another, squashed.

        z, a_f, a_o = split(x W + v + b)
        f = σ(a_f),  o = tanh(a_o)
        h' = f ⊙ h + z ⊙ o
        v' = x V

    Shapes: x (B, D), h (B, H), v (B, 3H); W and V (D, 3H), b (3H,), gates in the order z f o. State: (h, v); the v of
    an input x⁻ that came before the first is x⁻ V. Output: h.

    torchrecurrent's TGRUCell is this cell with W = weight_ih.T, V = weight_hh.T and b = bias_ih + bias_hh; its state
    has x⁻ itself in the place of v.

    Paper: D. Balduzzi, M. Ghifary, Strongly-typed recurrent neural networks, arXiv 1602.02218, 2016.
    """

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        width = self.W.shape[1]
        return ((width // 3,), (width,))

    def pointwise(self, a: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        z, f, o = split(a, 3)
        f, o = sigmoid(f), array_namespace(a).tanh(o)
        return (f * h + z * o,), (h, z, f, o)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State]:
        (dh,) = dstate
        h, z, f, o = cache
        return concat(dh * o, dh * h * f * (1 - f), dh * z * (1 - o * o)), (dh * f,)


@dataclass(frozen=True)
class TLSTM(WindowCell):
    """The strongly-typed LSTM: a running mean of features of two inputs, shown through an output gate.

        z, a_f, a_o = split(x W + v + b)
        f = σ(a_f),  o = tanh(a_o)
        c' = f ⊙ c + (1 - f) ⊙ z
        h' = c' ⊙ o
        v' = x V

    Shapes: x (B, D), h and c (B, H), v (B, 3H); W and V (D, 3H), b (3H,), gates in the order z f o. State: (h, c, v);
    the v of an input x⁻ that came before the first is x⁻ V. Output: h, of which no later step takes notice.

    torchrecurrent's TLSTMCell is this cell with W = weight_ih.T, V = weight_hh.T and b = bias_ih + bias_hh; its state
    has x⁻ itself in the place of v, and no h.

    Paper: D. Balduzzi, M. Ghifary, Strongly-typed recurrent neural networks, arXiv 1602.02218, 2016.
    """

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        width = self.W.shape[1]
        return ((width // 3,), (width // 3,), (width,))

    def pointwise(self, a: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        _, c = state
        z, f, o = split(a, 3)
        f, o = sigmoid(f), array_namespace(a).tanh(o)
        c_new = z + f * (c - z)
        return (c_new * o, c_new), (c, z, f, o, c_new)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State]:
        dh, dc = dstate
        c, z, f, o, c_new = cache
        dc = dc + dh * o
        dz = dc * (1 - f)
        da = concat(dz, dz * (c - z) * f, dh * c_new * (1 - o * o))
        return da, (array_namespace(dh).zeros_like(dh), dc * f)


def _affine(
    rng: np.random.Generator, input_size: int, hidden_size: int, count: int, dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
    """W (D, count·H), Glorot-uniform for each gate, and a zero b (count·H,)."""
    W = [init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype) for _ in range(count)]
    return np.concatenate(W, axis=1), np.zeros(count * hidden_size, dtype=dtype)
