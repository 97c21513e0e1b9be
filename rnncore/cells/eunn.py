"""The tunable efficient unitary network (Jing et al. 2017)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_whole, concat, device
from rnncore.cells.unitary_rnn import UnitaryCell, as_complex, as_real, phase_gradient

__all__ = ["EUNN"]


@dataclass(frozen=True)
class EUNN(UnitaryCell):
    """A complex state turned by L layers of rotations of neighbours in pairs: from few parameters, L = 2, to all
    unitary matrices, L = H.

        z = V x + D F_1 F_2 … F_L h
        F_l = rotations of the units (1, 2), (3, 4), … where l is odd, of (2, 3), (4, 5), … where l is even
        rotation(p, q) = (exp(i φ) (cos θ p - sin θ q), sin θ p + cos θ q)
        D = diag(exp(i ω))
        h' = relu(|z| + b) z / |z|

    Vectors are columns here, as in the paper. A complex vector of H numbers is held as 2H real ones, real parts first:
    h and each row of V.T = W. A unit without a neighbour is left as it is.

    Shapes: x (B, D), h (B, 2H); W (D, 2H), b (H,), ω (H,); θ and φ (R,), one for each rotation, layer after layer.
    State: (h,). Output: h, both parts: with H = `hidden_size` these are 2H numbers.

    The matrix is multiplied out once for a sequence, and a step is one product with it. The paper's other form, with
    log2 H layers in the order of the fast Fourier transform, is not here. b is modReLU's: see
    `rnncore.activations.mod_relu`.

    Paper: L. Jing et al., Tunable efficient unitary neural networks (EUNN) and their application to RNNs,
    arXiv 1612.05231, 2017.
    """

    theta: Array
    phi: Array
    omega: Array
    layers: int = tree.static(default=2)

    parts = 2

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 2,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform parts of W, all angles uniform in ±π, zero b, so that modReLU starts as the identity."""
        W = [init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype) for _ in range(2)]
        count = sum(_pairs(hidden_size, check_whole("EUNN", "layers", layers, 1)))
        theta, phi, omega = (rng.uniform(-np.pi, np.pi, n).astype(dtype) for n in (count, count, hidden_size))
        return cls(np.concatenate(W, axis=1), np.zeros(hidden_size, dtype=dtype), theta, phi, omega, layers)

    def __post_init__(self) -> None:
        super().__post_init__()
        (H,) = self.b.shape
        count = sum(_pairs(H, check_whole("EUNN", "layers", self.layers, 1)))
        check_array("EUNN", "theta", self.theta, (count,), self.W)
        check_array("EUNN", "phi", self.phi, (count,), self.W)
        check_array("EUNN", "omega", self.omega, (H,), self.W)

    def matrix(self) -> Array:
        return as_real(self._product())

    def matrix_backward(self, dU: Array) -> dict[str, Array]:
        """A factor's inverse is its adjoint: what takes the gradient back to its input recovers the input as well."""
        back = array_namespace(dU).exp(-1j * self.omega)
        z, dz = self._product(), as_complex(dU)
        domega = phase_gradient(z, dz)
        z, dz, dangles = z * back, dz * back, []
        for layer in self._layers():
            dangles.append(layer.angle_gradients(z, dz))
            z, dz = layer.adjoint(z), layer.adjoint(dz)
        dtheta, dphi = (concat(*parts) for parts in zip(*dangles, strict=True))
        return {"theta": dtheta, "phi": dphi, "omega": domega}

    def _product(self) -> Array:
        """What the rows of I are after F_L, …, F_1 and D: the matrix (H, H), complex."""
        d = array_namespace(self.omega).exp(1j * self.omega)
        z = array_namespace(d).eye(d.shape[0], dtype=d.dtype, device=device(d))
        for layer in reversed(self._layers()):
            z = layer(z)
        return z * d

    def _layers(self) -> list["_Rotations"]:
        """F_1 … F_L"""
        xp = array_namespace(self.theta)
        cos, sin, phase = xp.cos(self.theta), xp.sin(self.theta), xp.exp(1j * self.phi)
        layers, start = [], 0
        for i, count in enumerate(_pairs(self.b.shape[0], self.layers)):
            part = slice(start, start + count)
            layers.append(_Rotations(i % 2, cos[part], sin[part], phase[part]))
            start += count
        return layers


@dataclass(frozen=True)
class _Rotations:
    """One layer: rows z (N, H) to rows, the pairs of units from `first` on turned by θ, the first of each by φ too."""

    first: int
    cos: Array
    sin: Array
    phase: Array

    def __call__(self, z: Array) -> Array:
        p, q = self._split(z)
        return self._join(z, self.phase * (self.cos * p - self.sin * q), self.sin * p + self.cos * q)

    def adjoint(self, z: Array) -> Array:
        p, q = self._split(z)
        p = array_namespace(z).conj(self.phase) * p
        return self._join(z, self.cos * p + self.sin * q, self.cos * q - self.sin * p)

    def angle_gradients(self, z: Array, dz: Array) -> tuple[Array, Array]:
        """Gradients of θ and φ, from what came out and its gradient."""
        xp, (p, q), (dp, dq) = array_namespace(z), self._split(z), self._split(dz)
        turn = dq * xp.conj(p) * self.phase - dp * xp.conj(q * self.phase)
        return xp.sum(xp.real(turn), axis=0), phase_gradient(p, dp)

    def _split(self, z: Array) -> tuple[Array, Array]:
        """The first and the second unit of each pair, each (N, pairs)."""
        stop = self.first + 2 * self.phase.shape[0]
        return z[:, self.first : stop : 2], z[:, self.first + 1 : stop : 2]

    def _join(self, z: Array, p: Array, q: Array) -> Array:
        """z with these pairs."""
        xp, stop = array_namespace(z), self.first + 2 * self.phase.shape[0]
        pairs = xp.reshape(xp.stack((p, q), axis=-1), (z.shape[0], stop - self.first))
        return concat(z[:, : self.first], pairs, z[:, stop:])


def _pairs(hidden_size: int, layers: int) -> list[int]:
    """How many pairs each layer turns."""
    return [(hidden_size - i % 2) // 2 for i in range(layers)]
