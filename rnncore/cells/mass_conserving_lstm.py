"""The mass-conserving LSTM, in two forms (Hoedt et al. 2021)."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import (
    Array,
    array_namespace,
    check_array,
    check_finite,
    check_floating,
    check_whole,
    concat,
    sigmoid,
    sign,
    softmax,
)
from rnncore.cell import Cell, Others, Product, gathered
from rnncore.recurrence import State

__all__ = ["MCLSTM", "MassConservingCell", "TimeDependentMCLSTM"]


@dataclass(frozen=True)
class MassConservingCell(Cell):
    """A cell whose state is stored mass: gates say where mass goes, and none is made or lost; abstract.

    It is no AffineCell because its inputs are of two kinds, and because U meets the shares of the stored mass.
    """

    W: Array
    U: Array
    b: Array

    def __post_init__(self) -> None:
        operation = type(self).__name__
        check_floating(operation, "W", self.W)
        check_array(operation, "U", self.U, ("H", "G·H"), self.W)
        check_array(operation, "W", self.W, ("A", self.U.shape[1]), self.W)
        check_array(operation, "b", self.b, (self.U.shape[1],), self.W)
        if self.U.shape[1] % self.U.shape[0] or self.mass_size < 1:
            received = tuple(self.U.shape)
            raise ValueError(f"{operation}: U must have shape (H, G·H) for a mass input at least, received {received}")

    # -- what the two forms define

    @property
    @abstractmethod
    def mass_size(self) -> int:
        """M, the number of mass inputs."""

    @abstractmethod
    def sources(self, m: Array, c: Array) -> Array:
        """The masses that a gate hands out, (B, K), from the incoming and the stored ones; the incoming first."""

    @abstractmethod
    def moved(self, c: Array) -> Array | int:
        """The stored masses that no gate hands out, where they go, (B, H)."""

    @abstractmethod
    def stored_backward(self, dtotal: Array, dq: Array, c: Array) -> tuple[Array, Others]:
        """The gradient that c gets as mass, from those of the total and of the sources; and of other parameters."""

    # -- what they share

    @classmethod
    def _weights(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        mass_size: int,
        stored: int,
        output_bias: float,
        dtype: Any,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W, U and b of an output gate and of gates for `mass_size` incoming and `stored` stored masses."""
        check_whole(cls.__name__, "mass_size", mass_size, 1)
        check_whole(cls.__name__, "hidden_size", hidden_size, 1)
        W, U, b = init.gates(rng, input_size, hidden_size, 1 + mass_size + stored, dtype=dtype)
        b[:hidden_size] = check_finite(cls.__name__, "output_bias", output_bias)
        return W, U, b

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0] + self.mass_size,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    def project(self, xs: Array) -> Array:
        auxiliary = self.W.shape[0]
        return concat(xs[:, :auxiliary] @ self.W + self.b, xs[:, auxiliary:])

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, c), (hidden_size, count) = array_namespace(projected), state, self.U.shape
        norm = xp.sum(xp.abs(c), axis=-1, keepdims=True)
        norm = xp.where(norm == 0, xp.ones_like(norm), norm)
        shares = c / norm
        gates, m = projected[:, :count] + shares @ self.U, projected[:, count:]
        o = sigmoid(gates[:, :hidden_size])
        i = softmax(xp.reshape(gates[:, hidden_size:], (c.shape[0], count // hidden_size - 1, hidden_size)))
        q = self.sources(m, c)
        total = (q[:, None, :] @ i)[:, 0, :] + self.moved(c)
        h = o * total
        return (h, total - h), (c, norm, shares, o, i, q, total)

    def retreat(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        dh, dc = dstate
        c, norm, shares, o, i, q, total = cache
        xp = array_namespace(c)
        dtotal = dh * o + dc * (1 - o)
        do = (dh - dc) * total * o * (1 - o)
        dq = (i @ dtotal[:, :, None])[:, :, 0]
        di = q[:, :, None] * i * (dtotal[:, None, :] - dq[:, :, None])
        dgates = concat(do, xp.reshape(di, (c.shape[0], q.shape[1] * c.shape[1])))
        dshares = dgates @ self.U.T
        dnorm = xp.sum(dshares * shares, axis=-1, keepdims=True)
        dc, others = self.stored_backward(dtotal, dq, c)
        dc = dc + (dshares - dnorm * sign(c)) / norm
        others = others | {"U": Product(shares, dgates)}
        return concat(dgates, dq[:, : self.mass_size]), (xp.zeros_like(dh), dc), others

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        auxiliary, count = self.W.shape
        da, dm = dprojected[:, :count], dprojected[:, count:]
        dW, db = xs[:, :auxiliary].T @ da, array_namespace(xs).sum(da, axis=0)
        return concat(da @ self.W.T, dm), gathered(self, residues, W=dW, b=db)


@dataclass(frozen=True)
class MCLSTM(MassConservingCell):
    """The mass-conserving LSTM: what comes in is shared out, moved about and let out, and its sum is kept.

        a, m = x[:A], x[A:]
        a_o, a_i = cut(a W + s U + b),  s = c / Σ|c|
        o = σ(a_o),  i = softmax(a_i)
        t = m i + c softmax(R)
        h' = o ⊙ t
        c' = (1 - o) ⊙ t

    Shapes: x (B, A + M), the auxiliary inputs a (B, A) first, then the masses m (B, M); h and c (B, H);
    W (A, (1 + M)H), U (H, (1 + M)H), b ((1 + M)H,), o first, then i (B, M, H), one row for each mass; R (H, H).
    State: (h, c); a step does not read h. Output: h.

    The auxiliary inputs decide, the masses are what they decide on. softmax is over the last axis, so every row hands
    out the whole of its mass, and Σc' + Σh' = Σc + Σm. s, the shares of the stored mass, is 0 where none is stored, and
    its derivative is taken as 1 there. Masses are meant to be positive; the sum is kept for any sign. This is the
    paper's basic cell, whose R stands transposed there; see TimeDependentMCLSTM. torchrecurrent.MCLSTMCell is another
    cell, MemoryControllerLSTM.

    Paper: P.-J. Hoedt, F. Kratzert, D. Klotz, C. Halmich, M. Holzleitner, G. Nearing, S. Hochreiter, G. Klambauer,
    MC-LSTM: mass-conserving LSTM, ICML, arXiv 2101.05186, 2021.
    """

    R: Array

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        mass_size: int = 1,
        output_bias: float = -3.0,
        dtype: Any = np.float32,
    ) -> Self:
        """A cell for `input_size` auxiliary inputs and `mass_size` masses.

        Glorot-uniform W and orthogonal U, each gate drawn for itself; R the identity; zero b, but `output_bias` for o:
        as in the authors' program, little flows out at first.
        """
        W, U, b = cls._weights(rng, input_size, hidden_size, mass_size, 0, output_bias, dtype)
        return cls(W, U, b, np.eye(hidden_size, dtype=dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("MCLSTM", "R", self.R, (self.U.shape[0], self.U.shape[0]), self.W)

    def effective(self) -> "MCLSTM":
        """The cell with softmax(R) in the place of R, which the steps multiply by."""
        return replace(self, R=softmax(self.R))

    def effective_backward(self, grads: Any) -> Self:
        of_matrix: Self = grads
        R, dR = softmax(self.R), of_matrix.R
        return replace(of_matrix, R=R * (dR - array_namespace(R).sum(R * dR, axis=-1, keepdims=True)))

    @property
    def mass_size(self) -> int:
        return int(self.U.shape[1]) // int(self.U.shape[0]) - 1

    def sources(self, m: Array, c: Array) -> Array:
        return m

    def moved(self, c: Array) -> Array:
        return c @ self.R

    def stored_backward(self, dtotal: Array, dq: Array, c: Array) -> tuple[Array, Others]:
        return dtotal @ self.R.T, {"R": Product(c, dtotal)}


@dataclass(frozen=True)
class TimeDependentMCLSTM(MassConservingCell):
    """The mass-conserving LSTM whose redistribution is a gate too: stored mass is shared out as incoming mass is.

        a, m = x[:A], x[A:]
        a_o, a_i = cut(a W + s U + b),  s = c / Σ|c|
        o = σ(a_o),  i = softmax(a_i)
        t = [m, c] i
        h' = o ⊙ t
        c' = (1 - o) ⊙ t

    Shapes: x (B, A + M), the auxiliary inputs a (B, A) first, then the masses m (B, M); h and c (B, H);
    W (A, (1 + M + H)H), U (H, (1 + M + H)H), b ((1 + M + H)H,), o first, then i (B, M + H, H), one row for each mass,
    incoming and stored. State: (h, c); a step does not read h. Output: h.

    All else is as in MCLSTM. U alone has H² (1 + M + H) entries: this cell is for few units. It is the default of the
    authors' program, which writes Σc for Σ|c|.

    Paper: P.-J. Hoedt, F. Kratzert, D. Klotz, C. Halmich, M. Holzleitner, G. Nearing, S. Hochreiter, G. Klambauer,
    MC-LSTM: mass-conserving LSTM, ICML, arXiv 2101.05186, 2021.
    """

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        mass_size: int = 1,
        output_bias: float = -3.0,
        dtype: Any = np.float32,
    ) -> Self:
        """As MCLSTM.init, with the identity in the part of b that R was."""
        W, U, b = cls._weights(rng, input_size, hidden_size, mass_size, hidden_size, output_bias, dtype)
        b[(1 + mass_size) * hidden_size :] = np.eye(hidden_size, dtype=dtype).reshape(-1)
        return cls(W, U, b)

    @property
    def mass_size(self) -> int:
        return int(self.U.shape[1]) // int(self.U.shape[0]) - 1 - int(self.U.shape[0])

    def sources(self, m: Array, c: Array) -> Array:
        return concat(m, c)

    def moved(self, c: Array) -> int:
        return 0

    def stored_backward(self, dtotal: Array, dq: Array, c: Array) -> tuple[Array, Others]:
        return dq[:, self.mass_size :], {}
