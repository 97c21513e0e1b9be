"""The intersection RNN (Collins, Sohl-Dickstein and Sussillo 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, array_namespace, check_array, check_finite, check_floating, concat, sigmoid, split
from rnncore.cell import Cell, Others, Product, gathered
from rnncore.recurrence import State

__all__ = ["IntersectionRNN"]


@dataclass(frozen=True)
class IntersectionRNN(Cell):
    """The intersection RNN (+RNN): h passes through time and y through depth, each behind a gate of its own.

        y_in, h_in, a_y, a_h = split(x W + h U + b)
        g_y, g_h = σ(a_y), σ(a_h)
        y' = g_y ⊙ (x P) + (1 - g_y) ⊙ relu(y_in)
        h' = g_h ⊙ h + (1 - g_h) ⊙ tanh(h_in)

    Shapes: x (B, D), y and h (B, H); W (D, 4H), U (H, 4H), b (4H,), gates in the order y_in h_in g_y g_h; P (D, H), not
    trained. State: (y, h). Output: y.

    What the layer above receives is y, what the next step receives h: the old y in the state has no influence. The
    paper has D = H in every layer, and P the identity: it embeds the inputs of the first layer linearly, by a
    `rnncore.Dense` here. Where D is not H, P is a fixed random map instead (`init.isometry`). torchrecurrent's
    IntersectionRNNCell, for D = H alone, is this cell with W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh.
    It defines all four functions of a cell, as x takes part beside x W, and U does not act on the output.

    Paper: J. Collins, J. Sohl-Dickstein, D. Sussillo, Capacity and trainability in recurrent neural networks,
    arXiv 1611.09913, 2016.
    """

    W: Array
    U: Array
    b: Array
    P: Array = tree.fixed()

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U, each gate drawn for itself; zero b, but `forget_bias` for g_y and g_h."""
        W, U, b = init.gates(rng, input_size, hidden_size, 4, dtype=dtype)
        b[2 * hidden_size :] = check_finite("IntersectionRNN", "forget_bias", forget_bias)
        return cls(W, U, b, init.isometry(rng, input_size, hidden_size, dtype=dtype))

    def __post_init__(self) -> None:
        check_floating("IntersectionRNN", "W", self.W)
        check_array("IntersectionRNN", "U", self.U, ("H", "4·H"), self.W)
        hidden_size = self.U.shape[0]
        check_array("IntersectionRNN", "U", self.U, (hidden_size, 4 * hidden_size), self.W)
        check_array("IntersectionRNN", "W", self.W, ("D", 4 * hidden_size), self.W)
        check_array("IntersectionRNN", "b", self.b, (4 * hidden_size,), self.W)
        check_array("IntersectionRNN", "P", self.P, (self.W.shape[0], hidden_size), self.W)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    def project(self, xs: Array) -> Array:
        return xs @ concat(self.W, self.P) + concat(self.b, array_namespace(xs).zeros_like(self.P[0]))

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        relu, _ = activation_pair("IntersectionRNN", "relu")
        (_, h), gates = state, self.U.shape[1]
        y_in, h_in, g_y, g_h = split(projected[:, :gates] + h @ self.U, 4)
        x = projected[:, gates:]
        y_in, h_in, g_y, g_h = relu(y_in), array_namespace(h).tanh(h_in), sigmoid(g_y), sigmoid(g_h)
        return (y_in + g_y * (x - y_in), h_in + g_h * (h - h_in)), (x, h, y_in, h_in, g_y, g_h)

    def retreat(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        _, derivative = activation_pair("IntersectionRNN", "relu")
        dy, dh = dstate
        x, h, y_in, h_in, g_y, g_h = cache
        da = concat(
            dy * (1 - g_y) * derivative(y_in),
            dh * (1 - g_h) * (1 - h_in * h_in),
            dy * (x - y_in) * g_y * (1 - g_y),
            dh * (h - h_in) * g_h * (1 - g_h),
        )
        dold = (array_namespace(dy).zeros_like(dy), dh * g_h + da @ self.U.T)
        return concat(da, dy * g_y), dold, {"U": Product(h, None)}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        da = dprojected[:, : self.U.shape[1]]
        grads = gathered(self, residues, da, W=xs.T @ da, b=array_namespace(xs).sum(da, axis=0))
        return dprojected @ concat(self.W, self.P).T, grads
