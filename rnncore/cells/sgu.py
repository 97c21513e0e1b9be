"""The simple gated unit and its deep form (Gao and Glowacka 2016)."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, hard_sigmoid, sigmoid, softplus, split
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["DSGU", "SGU", "SimpleGatedUnit"]


@dataclass(frozen=True)
class SimpleGatedUnit(AffineCell):
    """A cell that multiplies its state by a gate and shows the product through `output`; abstract."""

    U_g: Array

    def __post_init__(self) -> None:
        super().__post_init__()
        operation, hidden_size = type(self).__name__, self.U.shape[0]
        check_array(operation, "U", self.U, (hidden_size, hidden_size), self.W)
        check_array(operation, "W", self.W, (self.W.shape[0], 2 * hidden_size), self.W)
        check_array(operation, "U_g", self.U_g, (hidden_size, hidden_size), self.W)

    @abstractmethod
    def output(self, s: Array) -> Array:
        """The candidate from s = k ⊙ h."""

    @abstractmethod
    def output_backward(self, dn: Array, s: Array, n: Array) -> tuple[Array, Others]:
        """Gradients of s and of other parameters from that of the candidate n."""

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        g, z = split(wx, 2)
        k = array_namespace(wx).tanh((g * h) @ self.U_g)
        n, z = self.output(k * h), hard_sigmoid(z + uh)
        return ((1 - z) * h + z * n,), (h, g, k, n, z)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        h, g, k, n, z = cache
        xp = array_namespace(h)
        ds, others = self.output_backward(dh * z, k * h, n)
        dk = ds * h * (1 - k * k)
        dgh = dk @ self.U_g.T
        dz = 0.2 * dh * (n - h) * xp.astype((z > 0) & (z < 1), z.dtype)
        direct = dh * (1 - z) + ds * k + dgh * g
        return concat(dgh * h, dz), dz, (direct,), others | {"U_g": Product(g * h, dk)}


@dataclass(frozen=True)
class SGU(SimpleGatedUnit):
    """The simple gated unit: the input enters through products with the state alone.

        g, z_x = split(x W + b)
        k = tanh((g ⊙ h) U_g)
        n = softplus(k ⊙ h)
        z = hard_sigmoid(z_x + h U)
        h' = (1 - z) ⊙ h + z ⊙ n

    Shapes: x (B, D), h (B, H); W (D, 2H), b (2H,), gates in the order g z; U (H, H), U_g (H, H). State: (h,).
    Output: h.

    hard_sigmoid(a) is a / 5 + 1/2 cut to 0 … 1, as Keras and Chainer had it at the time. torchrecurrent.SGUCell cuts
    a / 6 + 1/2: it is this cell with W = weight_ih.T, U_g | U = weight_hh.T, b = bias_ih and zero bias_hh, where its
    weights and bias of z are 6/5 of these.

    Paper: Y. Gao, D. Glowacka, Deep gate recurrent neural network, ACML, arXiv 1604.02910, 2016.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U and U_g, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        return cls(W, U[:, :hidden_size].copy(), b, U[:, hidden_size:].copy())

    def output(self, s: Array) -> Array:
        return softplus(s)

    def output_backward(self, dn: Array, s: Array, n: Array) -> tuple[Array, Others]:
        return dn * sigmoid(s), {}


@dataclass(frozen=True)
class DSGU(SimpleGatedUnit):
    """The deep simple gated unit: one more layer before the output, which is bounded.

        g, z_x = split(x W + b)
        k = tanh((g ⊙ h) U_g)
        n = σ((k ⊙ h) U_o)
        z = hard_sigmoid(z_x + h U)
        h' = (1 - z) ⊙ h + z ⊙ n

    Shapes: x (B, D), h (B, H); W (D, 2H), b (2H,), gates in the order g z; U, U_g and U_o (H, H). State: (h,).
    Output: h.

    hard_sigmoid and torchrecurrent.DSGUCell as under SGU; U_o = weight_ho.T.

    Paper: Y. Gao, D. Glowacka, Deep gate recurrent neural network, ACML, arXiv 1604.02910, 2016.
    """

    U_o: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, U_g and U_o, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        U_o = init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype)
        return cls(W, U[:, :hidden_size].copy(), b, U[:, hidden_size:].copy(), U_o)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("DSGU", "U_o", self.U_o, self.U.shape, self.W)

    def output(self, s: Array) -> Array:
        return sigmoid(s @ self.U_o)

    def output_backward(self, dn: Array, s: Array, n: Array) -> tuple[Array, Others]:
        do = dn * n * (1 - n)
        return do @ self.U_o.T, {"U_o": Product(s, do)}
