"""The MinimalRNN (Chen 2017)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, check_floating, concat, sigmoid, split
from rnncore.cell import Cell, Others, Product, gathered
from rnncore.recurrence import State

__all__ = ["MinimalRNN"]


@dataclass(frozen=True)
class MinimalRNN(Cell):
    """MinimalRNN: the input is first mapped to where the state lives, and the state is an average of such points.

        z = tanh(x W + b)
        u = σ(z U_z + h U + b_u)
        h' = u ⊙ h + (1 - u) ⊙ z

    Shapes: x (B, D), h and z (B, H); W (D, H), b (H,), U and U_z (H, H), b_u (H,). State: (h,). Output: h.

    The map of the inputs may be any network in the paper; this is the one of its experiments. All that is left to do
    in the loop is the product with U. torchrecurrent's MinimalRNNCell is this cell with W = weight_ih.T, b = bias_ih,
    U = weight_hh.T, U_z = weight_mm.T and b_u = bias_hh. It defines all four functions of a cell, as z U_z is made
    for all steps before the loop.

    Paper: M. Chen, MinimalRNN: toward more interpretable and trainable recurrent neural networks, arXiv 1711.06788,
    2017.
    """

    W: Array
    U: Array
    b: Array
    U_z: Array
    b_u: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, orthogonal U and U_z, zero biases."""
        return cls(
            W=init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype),
            U=init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype),
            b=np.zeros(hidden_size, dtype=dtype),
            U_z=init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype),
            b_u=np.zeros(hidden_size, dtype=dtype),
        )

    def __post_init__(self) -> None:
        check_floating("MinimalRNN", "W", self.W)
        check_array("MinimalRNN", "b", self.b, ("H",), self.W)
        hidden_size = self.b.shape[0]
        check_array("MinimalRNN", "W", self.W, ("D", hidden_size), self.W)
        check_array("MinimalRNN", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("MinimalRNN", "U_z", self.U_z, (hidden_size, hidden_size), self.W)
        check_array("MinimalRNN", "b_u", self.b_u, (hidden_size,), self.W)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1],)

    def project(self, xs: Array) -> Array:
        z = array_namespace(xs).tanh(xs @ self.W + self.b)
        return concat(z, z @ self.U_z + self.b_u)

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        z, u = split(projected, 2)
        u = sigmoid(u + h @ self.U)
        return (z + u * (h - z),), (h, z, u)

    def retreat(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        (dh,) = dstate
        h, z, u = cache
        du = dh * (h - z) * u * (1 - u)
        return concat(dh * (1 - u), du), (dh * u + du @ self.U.T,), {"U": Product(h, du)}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        xp = array_namespace(xs)
        z = xp.tanh(xs @ self.W + self.b)
        dz, du = split(dprojected, 2)
        da = (dz + du @ self.U_z.T) * (1 - z * z)
        grads = gathered(self, residues, W=xs.T @ da, b=xp.sum(da, axis=0), U_z=z.T @ du, b_u=xp.sum(du, axis=0))
        return da @ self.W.T, grads
