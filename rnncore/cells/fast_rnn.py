"""FastRNN and FastGRNN (Kusupati et al. 2018)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, array_namespace, check_array, check_finite, check_floating, concat, sigmoid, split
from rnncore.cell import AffineCell, Cell, Others, Product, gathered
from rnncore.recurrence import State

__all__ = ["FastGRNN", "FastRNN"]


@dataclass(frozen=True)
class FastRNN(AffineCell):
    """FastRNN: an Elman network with a residual connection, weighted by two trained numbers.

        c = φ(x W + h U + b)
        h' = σ(α) c + σ(β) h

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,); alpha and beta (). State: (h,). Output: h.

    φ is tanh unless told: tanh, relu, sigmoid or identity. The α and β of the paper lie between 0 and 1: they are σ(α)
    and σ(β) here. torchrecurrent's FastRNNCell is this cell with W = weight_ih.T, U = weight_hh.T and
    b = bias_ih + bias_hh, but it starts with the two the other way round, so that a new cell forgets.

    Paper: A. Kusupati, M. Singh, K. Bhatia, A. Kumar, P. Jain, M. Varma, FastGRNN: a fast, accurate, stable and tiny
    kilobyte sized gated recurrent neural network, NeurIPS, arXiv 1901.02358, 2018.
    """

    alpha: Array
    beta: Array
    activation: str = tree.static(default="tanh")

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        alpha: float = -3.0,
        beta: float = 3.0,
        activation: str = "tanh",
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U; b of ones, and α and β such that the old state prevails, as the authors."""
        return cls(
            W=init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype),
            U=init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype),
            b=np.ones(hidden_size, dtype=dtype),
            alpha=np.asarray(check_finite("FastRNN", "alpha", alpha), dtype=dtype),
            beta=np.asarray(check_finite("FastRNN", "beta", beta), dtype=dtype),
            activation=activation,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)
        check_array("FastRNN", "alpha", self.alpha, (), self.W)
        check_array("FastRNN", "beta", self.beta, (), self.W)
        activation_pair("FastRNN", self.activation)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        phi, _ = activation_pair("FastRNN", self.activation)
        (h,) = state
        c = phi(wx + uh)
        return (sigmoid(self.alpha) * c + sigmoid(self.beta) * h,), (h, c)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        _, derivative = activation_pair("FastRNN", self.activation)
        (dh,) = dstate
        h, c = cache
        alpha, beta = sigmoid(self.alpha), sigmoid(self.beta)
        da = alpha * dh * derivative(c)
        others = {"alpha": alpha * (1 - alpha) * dh * c, "beta": beta * (1 - beta) * dh * h}
        return da, da, (beta * dh,), others


@dataclass(frozen=True)
class FastGRNN(Cell):
    """FastGRNN: one product with W and one with U serve the gate and the candidate alike.

        a = x W + h U;  b_z, b_n = split(b)
        z, n = σ(a + b_z), tanh(a + b_n)
        h' = (σ(ζ) (1 - z) + σ(ν)) ⊙ n + z ⊙ h

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (2H,), in the order z n; zeta and nu (). State: (h,). Output: h.

    The ζ and ν of the paper lie between 0 and 1: they are σ(ζ) and σ(ν) here. W and U have full rank; in the paper they
    may also be products of two thin matrices, sparse, and of few bits. torchrecurrent's FastGRNNCell is this cell with
    W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh where it is made with nonlinearity="sigmoid": unless told
    its gate is a tanh. It defines all four functions of a cell, as two biases share one product.

    Paper: A. Kusupati, M. Singh, K. Bhatia, A. Kumar, P. Jain, M. Varma, FastGRNN: a fast, accurate, stable and tiny
    kilobyte sized gated recurrent neural network, NeurIPS, arXiv 1901.02358, 2018.
    """

    W: Array
    U: Array
    b: Array
    zeta: Array
    nu: Array

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        zeta: float = 1.0,
        nu: float = -4.0,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U; b of ones, ζ and ν as in the authors' code."""
        return cls(
            W=init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype),
            U=init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype),
            b=np.ones(2 * hidden_size, dtype=dtype),
            zeta=np.asarray(check_finite("FastGRNN", "zeta", zeta), dtype=dtype),
            nu=np.asarray(check_finite("FastGRNN", "nu", nu), dtype=dtype),
        )

    def __post_init__(self) -> None:
        check_floating("FastGRNN", "W", self.W)
        check_array("FastGRNN", "U", self.U, ("H", "H"), self.W)
        hidden_size = self.U.shape[0]
        check_array("FastGRNN", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("FastGRNN", "W", self.W, ("D", hidden_size), self.W)
        check_array("FastGRNN", "b", self.b, (2 * hidden_size,), self.W)
        check_array("FastGRNN", "zeta", self.zeta, (), self.W)
        check_array("FastGRNN", "nu", self.nu, (), self.W)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1],)

    def project(self, xs: Array) -> Array:
        a = xs @ self.W
        return concat(a, a) + self.b

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        uh = h @ self.U
        z, n = split(projected, 2)
        z, n = sigmoid(z + uh), array_namespace(h).tanh(n + uh)
        scale = sigmoid(self.zeta) * (1 - z) + sigmoid(self.nu)
        return (scale * n + z * h,), (h, z, n, scale)

    def retreat(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        (dh,) = dstate
        h, z, n, scale = cache
        zeta, nu = sigmoid(self.zeta), sigmoid(self.nu)
        dz = dh * (h - zeta * n) * z * (1 - z)
        dn = dh * scale * (1 - n * n)
        dscale = dh * n
        others = {
            "U": Product(h, dz + dn),
            "zeta": zeta * (1 - zeta) * (1 - z) * dscale,
            "nu": nu * (1 - nu) * dscale,
        }
        return concat(dz, dn), (dh * z + (dz + dn) @ self.U.T,), others

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dz, dn = split(dprojected, 2)
        da = dz + dn
        grads = gathered(self, residues, W=xs.T @ da, b=array_namespace(xs).sum(dprojected, axis=0))
        return da @ self.W.T, grads
