"""The three cells found by mutation (Józefowicz, Zaremba and Sutskever 2015)."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_floating, concat, sigmoid, split
from rnncore.cell import AffineCell, Cell, Others, Product, gathered
from rnncore.recurrence import State

__all__ = ["MUT1", "MUT2", "MUT3"]


@dataclass(frozen=True)
class PlainInputCell(Cell):
    """What MUT1 and MUT2 share: a gate or candidate sees x itself, as H numbers x P, beside x W; abstract."""

    W: Array
    U: Array
    b: Array
    U_n: Array
    P: Array = tree.fixed()

    recurrent_gates: ClassVar[int]

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, orthogonal U and U_n, each gate drawn for itself; zero b; P by `init.isometry`."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        gates = cls.recurrent_gates * hidden_size
        return cls(
            W=W[:, : 2 * hidden_size].copy(),
            U=U[:, :gates].copy(),
            b=b,
            U_n=U[:, -hidden_size:].copy(),
            P=init.isometry(rng, input_size, hidden_size, dtype=dtype),
        )

    def __post_init__(self) -> None:
        operation = type(self).__name__
        check_floating(operation, "W", self.W)
        check_array(operation, "b", self.b, ("3·H",), self.W)
        hidden_size = self.b.shape[0] // 3
        check_array(operation, "b", self.b, (3 * hidden_size,), self.W)
        check_array(operation, "W", self.W, ("D", 2 * hidden_size), self.W)
        check_array(operation, "U", self.U, (hidden_size, self.recurrent_gates * hidden_size), self.W)
        check_array(operation, "U_n", self.U_n, (hidden_size, hidden_size), self.W)
        check_array(operation, "P", self.P, (self.W.shape[0], hidden_size), self.W)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1],)


@dataclass(frozen=True)
class MUT1(PlainInputCell):
    """MUT1: a GRU whose update gate sees the input alone, and whose candidate sees it squashed instead of weighted.

        r_x, z_x = split(x W + b_rz)
        r = σ(r_x + h U),  z = σ(z_x)
        n = tanh((r ⊙ h) U_n + tanh(x P) + b_n)
        h' = z ⊙ n + (1 - z) ⊙ h

    Shapes: x (B, D), h (B, H); W (D, 2H), b (3H,), gates in the order r z n; U and U_n (H, H); P (D, H), not trained.
    State: (h,). Output: h.

    The paper adds tanh(x) to H numbers, so D is H there, and P the identity. Where D is not H, P is a fixed random map
    (`init.isometry`), as Keras once had it. torchrecurrent's MUT1Cell trains P, gives it a bias, and has the gates in
    the order z r n. It defines all four functions of a cell, as x takes part beside x W.

    Paper: R. Józefowicz, W. Zaremba, I. Sutskever, An empirical exploration of recurrent network architectures,
    ICML, 2015.
    """

    recurrent_gates = 1

    def project(self, xs: Array) -> Array:
        return concat(xs @ self.W, array_namespace(xs).tanh(xs @ self.P)) + self.b

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        r, z, n = split(projected, 3)
        r, z = sigmoid(r + h @ self.U), sigmoid(z)
        rh = r * h
        n = array_namespace(h).tanh(n + rh @ self.U_n)
        return (h + z * (n - h),), (h, r, z, rh, n)

    def retreat(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        (dh,) = dstate
        h, r, z, rh, n = cache
        dn = dh * z * (1 - n * n)
        dz = dh * (n - h) * z * (1 - z)
        drh = dn @ self.U_n.T
        dr = drh * h * r * (1 - r)
        dold = dh * (1 - z) + drh * r + dr @ self.U.T
        return concat(dr, dz, dn), (dold,), {"U": Product(h, dr), "U_n": Product(rh, dn)}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        xp, gates = array_namespace(xs), self.W.shape[1]
        da, dn = dprojected[:, :gates], dprojected[:, gates:]
        squashed = xp.tanh(xs @ self.P)
        dxs = da @ self.W.T + (dn * (1 - squashed * squashed)) @ self.P.T
        return dxs, gathered(self, residues, W=xs.T @ da, b=xp.sum(dprojected, axis=0))


@dataclass(frozen=True)
class MUT2(PlainInputCell):
    """MUT2: a GRU whose reset gate sees the input unweighted.

        z_x, n_x = split(x W);  r_h, z_h = split(h U);  b_r, b_z, b_n = split(b)
        r = σ(x P + r_h + b_r),  z = σ(z_x + z_h + b_z)
        n = tanh(n_x + (r ⊙ h) U_n + b_n)
        h' = z ⊙ n + (1 - z) ⊙ h

    Shapes: x (B, D), h (B, H); W (D, 2H), gates in the order z n; U (H, 2H), in the order r z; b (3H,), in the order
    r z n; U_n (H, H); P (D, H), not trained. State: (h,). Output: h.

    The paper adds x to H numbers, so D is H there, and P the identity. Where D is not H, P is a fixed random map
    (`init.isometry`), as Keras once had it. torchrecurrent's MUT2Cell trains P, and has the gates in the order z r n.
    It defines all four functions of a cell, as x takes part beside x W.

    Paper: R. Józefowicz, W. Zaremba, I. Sutskever, An empirical exploration of recurrent network architectures,
    ICML, 2015.
    """

    recurrent_gates = 2

    def project(self, xs: Array) -> Array:
        return xs @ concat(self.P, self.W) + self.b

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        gates = self.U.shape[1]
        r, z = split(sigmoid(projected[:, :gates] + h @ self.U), 2)
        rh = r * h
        n = array_namespace(h).tanh(projected[:, gates:] + rh @ self.U_n)
        return (h + z * (n - h),), (h, r, z, rh, n)

    def retreat(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        (dh,) = dstate
        h, r, z, rh, n = cache
        dn = dh * z * (1 - n * n)
        drh = dn @ self.U_n.T
        drz = concat(drh * h * r * (1 - r), dh * (n - h) * z * (1 - z))
        dold = dh * (1 - z) + drh * r + drz @ self.U.T
        return concat(drz, dn), (dold,), {"U": Product(h, drz), "U_n": Product(rh, dn)}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dW, db = xs.T @ dprojected[:, self.U.shape[0] :], array_namespace(xs).sum(dprojected, axis=0)
        return dprojected @ concat(self.P, self.W).T, gathered(self, residues, W=dW, b=db)


@dataclass(frozen=True)
class MUT3(AffineCell):
    """MUT3: a GRU whose update gate sees the old state squashed.

        r_x, z_x, n_x = split(x W + b)
        r = σ(r_x + h U),  z = σ(z_x + tanh(h) U_z)
        n = tanh(n_x + (r ⊙ h) U_n)
        h' = z ⊙ n + (1 - z) ⊙ h

    Shapes: x (B, D), h (B, H); W (D, 3H), b (3H,), gates in the order r z n; U, U_z and U_n (H, H). State: (h,).
    Output: h.

    torchrecurrent's MUT3Cell has the gates in the order z r n.

    Paper: R. Józefowicz, W. Zaremba, I. Sutskever, An empirical exploration of recurrent network architectures,
    ICML, 2015.
    """

    U_z: Array
    U_n: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, U_z and U_n, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        U, U_z, U_n = (np.ascontiguousarray(u) for u in split(U, 3))
        return cls(W, U, b, U_z, U_n)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("MUT3", "W", self.W, (self.W.shape[0], 3 * hidden_size), self.W)
        for name in ("U", "U_z", "U_n"):
            check_array("MUT3", name, getattr(self, name), (hidden_size, hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (h,) = array_namespace(wx), state
        r, z, n = split(wx, 3)
        tanh_h = xp.tanh(h)
        r, z = sigmoid(r + uh), sigmoid(z + tanh_h @ self.U_z)
        rh = r * h
        n = xp.tanh(n + rh @ self.U_n)
        return (h + z * (n - h),), (h, r, z, tanh_h, rh, n)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        h, r, z, tanh_h, rh, n = cache
        dn = dh * z * (1 - n * n)
        dz = dh * (n - h) * z * (1 - z)
        drh = dn @ self.U_n.T
        dr = drh * h * r * (1 - r)
        dold = dh * (1 - z) + drh * r + (dz @ self.U_z.T) * (1 - tanh_h * tanh_h)
        return concat(dr, dz, dn), dr, (dold,), {"U_z": Product(tanh_h, dz), "U_n": Product(rh, dn)}
