"""The unitary evolution network (Arjovsky et al. 2016), and what its relatives share with it."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import mod_relu, mod_relu_backward
from rnncore.backend import Array, array_namespace, check_array, check_floating, check_wide, concat, device
from rnncore.cell import Cell, Others, Product, gathered
from rnncore.recurrence import State

__all__ = ["ModReLUCell", "UnitaryCell", "UnitaryRNN", "as_complex", "as_real", "phase_gradient"]


@dataclass(frozen=True)
class ModReLUCell(Cell):
    """h' = modReLU(x W + h U, b) for any real U: the steps of every `UnitaryCell`.

    No `AffineCell`: b is modReLU's, one for each modulus, not the map's.

    Shapes: W (D, N), U (N, N), b (H,); h (B, N) are H real numbers, N = H, or H complex ones, N = 2H: first their real
    parts, then the imaginary ones.
    """

    W: Array
    U: Array
    b: Array

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.W.shape[1],),)

    def project(self, xs: Array) -> Array:
        return xs @ self.W

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        z = projected + state[0] @ self.U
        h, cache = mod_relu(self._parts(z), self.b)
        return (self._joined(h),), (state[0], cache)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Others]:
        h, step_cache = cache
        dz, db = mod_relu_backward(self._parts(dstate[0]), step_cache)
        dz = self._joined(dz)
        return dz, (dz @ self.U.T,), {"U": Product(h, dz), "b": db}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        return dprojected @ self.W.T, gathered(self, residues, W=xs.T @ dprojected)

    def _parts(self, h: Array) -> Array:
        """(B, N) → (B, N / H, H)."""
        H = self.b.shape[0]
        return array_namespace(h).reshape(h, (h.shape[0], h.shape[1] // H, H))

    def _joined(self, h: Array) -> Array:
        """(B, N / H, H) → (B, N)."""
        return array_namespace(h).reshape(h, (h.shape[0], h.shape[1] * h.shape[2]))


@dataclass(frozen=True)
class UnitaryCell(Cell):
    """h' = modReLU(x W + h U, b), where U is made from other parameters so that it keeps every norm; abstract.

    U is made once for a sequence, and the steps are those of a `ModReLUCell`; the four functions that a `Cell` defines
    are its too.
    """

    W: Array
    b: Array

    parts: ClassVar[int]  # 1: real states; 2: complex ones

    def __post_init__(self) -> None:
        operation = type(self).__name__
        check_floating(operation, "W", self.W)
        check_wide(operation, "W", self.W)
        check_array(operation, "b", self.b, ("H",), self.W)
        check_array(operation, "W", self.W, ("D", self.parts * self.b.shape[0]), self.W)

    @abstractmethod
    def matrix(self) -> Array:
        """U, of real numbers: (H, H), or (2H, 2H) for complex states."""

    @abstractmethod
    def matrix_backward(self, dU: Array) -> dict[str, Array]:
        """The derivative of `matrix`: gradients of the parameters it is made from, by name."""

    def effective(self) -> ModReLUCell:
        return ModReLUCell(self.W, self.matrix(), self.b)

    def effective_backward(self, grads: ModReLUCell) -> Self:
        return replace(self, W=grads.W, b=grads.b, **self.matrix_backward(grads.U))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.W.shape[1],),)

    def project(self, xs: Array) -> Array:
        return self.effective().project(xs)

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        return self.effective().advance(projected, state)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        return self.effective().retreat(dstate, cache)

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dxs, grads = self.effective().gradients(xs, dprojected, residues)
        return dxs, self.effective_backward(grads)


def as_real(m: Array) -> Array:
    """The real matrix (2H, 2H) that does to rows (Re z, Im z) what the complex one (H, H) does to z."""
    xp = array_namespace(m)
    re, im = xp.real(m), xp.imag(m)
    return concat(concat(re, im), concat(-im, re), axis=0)


def as_complex(d: Array) -> Array:
    """The derivative of `as_real`. The gradient of a complex z is dL/dRe z + i dL/dIm z, here and everywhere."""
    H = d.shape[0] // 2
    return (d[:H, :H] + d[H:, H:]) + 1j * (d[:H, H:] - d[H:, :H])


def phase_gradient(z: Array, dz: Array) -> Array:
    """Gradient of θ in z = y e^{iθ}, from z and its gradient (N, H): the part of it across z, summed over rows."""
    xp = array_namespace(z)
    return xp.sum(xp.imag(xp.conj(z) * dz), axis=0)


def _reflected(z: Array, v: Array) -> Array:
    """Rows z (N, H), each reflected at v (H,): what points along v turns its sign."""
    n = v / _length(v)
    return z - 2 * (z @ array_namespace(v).conj(n))[:, None] * n


def _reflected_backward(dz: Array, z: Array, v: Array) -> tuple[Array, Array]:
    """The derivative of `_reflected`: gradients of z and of v, whose length has no effect."""
    xp, length = array_namespace(v), _length(v)
    n = v / length
    dalong = dz @ xp.conj(n)
    dalong = xp.real(dalong) - 1j * xp.imag(dalong)  # conj, for which torch.vmap has no rule
    dn = -2 * (dalong @ z + xp.conj(z @ xp.conj(n)) @ dz)
    return _reflected(dz, v), (dn - xp.sum(xp.real(xp.conj(n) * dn)) * n) / length


def _length(v: Array) -> Array:
    """|v|, and 1 where that is 0: at nothing nothing is reflected."""
    xp = array_namespace(v)
    square = xp.sum(xp.real(v) ** 2 + xp.imag(v) ** 2)
    return xp.sqrt(xp.where(square > 0, square, xp.ones_like(square)))


@dataclass(frozen=True)
class UnitaryRNN(UnitaryCell):
    """The uRNN: a complex state turned by a unitary matrix of 7 H numbers, so that no gradient vanishes or explodes.

        z = V x + D_3 R_2 F⁻¹ D_2 Π R_1 F D_1 h
        D_k = diag(exp(i θ_k)),  R_k = I - 2 v_k v_k* / |v_k|²,  I for v_k = 0
        h' = relu(|z| + b) z / |z|

    F is the unitary discrete Fourier transform, Π a fixed permutation; vectors are columns here, as in the paper. A
    complex vector of H numbers is held as 2H real ones, real parts first: h, v_1, v_2 and each row of V.T = W.

    Shapes: x (B, D), h (B, 2H); W (D, 2H), b (H,), θ (3, H), v (2, 2H); P (H, H), the matrix Π.T, fixed. State: (h,).
    Output: h, both parts, as the paper's readout sees it: with H = `hidden_size` these are 2H numbers.

    The matrix is multiplied out once for a sequence, and a step is one product with it: O(H²) where the paper has
    O(H log H), but a single call. The paper trains the initial state; here it is given, and zero unless told. b is
    modReLU's: see `rnncore.activations.mod_relu`.

    Paper: M. Arjovsky, A. Shah, Y. Bengio, Unitary evolution recurrent neural networks, arXiv 1511.06464, 2016.
    """

    theta: Array
    v: Array
    P: Array = tree.fixed()

    parts = 2

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """As in the paper: Glorot-uniform parts of W, θ uniform in ±π, v in ±1, Π any permutation; zero b, so that
        modReLU starts as the identity."""
        W = [init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype) for _ in range(2)]
        return cls(
            W=np.concatenate(W, axis=1),
            b=np.zeros(hidden_size, dtype=dtype),
            theta=init.uniform(rng, -np.pi, np.pi, 3, hidden_size, dtype=dtype),
            v=init.uniform(rng, -1, 1, 2, 2 * hidden_size, dtype=dtype),
            P=np.eye(hidden_size, dtype=dtype)[rng.permutation(hidden_size)],
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        (H,) = self.b.shape
        check_array("UnitaryRNN", "theta", self.theta, (3, H), self.W)
        check_array("UnitaryRNN", "v", self.v, (2, 2 * H), self.W)
        check_array("UnitaryRNN", "P", self.P, (H, H), self.W)

    def matrix(self) -> Array:
        return as_real(self._factors()[-1])

    def matrix_backward(self, dU: Array) -> dict[str, Array]:
        xp = array_namespace(dU)
        (_, d2, d3), (v1, v2), P = self._constants()
        z1, z2, z3, z4, z5 = self._factors()
        dz = as_complex(dU)
        dtheta3 = phase_gradient(z5, dz)
        dz, dv2 = _reflected_backward(dz * xp.conj(d3), z4, v2)
        dz = xp.fft.fft(dz, norm="ortho")  # the adjoint of its inverse
        dtheta2 = phase_gradient(z3, dz)
        dz, dv1 = _reflected_backward((dz * xp.conj(d2)) @ P.T, z2, v1)
        dtheta1 = phase_gradient(z1, xp.fft.ifft(dz, norm="ortho"))
        dv = xp.stack((dv1, dv2))
        return {"theta": xp.stack((dtheta1, dtheta2, dtheta3)), "v": concat(xp.real(dv), xp.imag(dv))}

    def _factors(self) -> tuple[Array, ...]:
        """What the rows of I are after D_1, F, D_2, F⁻¹ and D_3; the last of these is the whole matrix."""
        xp = array_namespace(self.theta)
        (d1, d2, d3), (v1, v2), P = self._constants()
        z1 = xp.eye(d1.shape[0], dtype=d1.dtype, device=device(d1)) * d1
        z2 = xp.fft.fft(z1, norm="ortho")
        z3 = _reflected(z2, v1) @ P * d2
        z4 = xp.fft.ifft(z3, norm="ortho")
        return z1, z2, z3, z4, _reflected(z4, v2) * d3

    def _constants(self) -> tuple[Array, Array, Array]:
        """The diagonals of D (3, H), the v (2, H) and P (H, H) as complex numbers."""
        xp, H = array_namespace(self.theta), self.b.shape[0]
        d = xp.exp(1j * self.theta)
        return d, self.v[:, :H] + 1j * self.v[:, H:], xp.astype(self.P, d.dtype)
