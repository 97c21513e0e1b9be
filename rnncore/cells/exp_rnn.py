"""The orthogonal network by the exponential map (Lezcano-Casado and Martínez-Rubio 2019)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, check_array
from rnncore.cells.unitary_rnn import UnitaryCell
from rnncore.linalg import expm, expm_backward

__all__ = ["ExpRNN"]


@dataclass(frozen=True)
class ExpRNN(UnitaryCell):
    """Elman's cell with an orthogonal recurrent matrix: the exponential of an antisymmetric one, which may be any.

        U = exp(A - A.T)
        z = x W + h U
        h' = relu(|z| + b) z / |z|

    Shapes: x (B, D), h (B, H); W (D, H), b (H,), A (H, H). State: (h,). Output: h.

    U reaches every rotation (orthogonal, determinant 1), and plain gradient descent on A never leaves them. The paper
    holds the entries above the diagonal alone; only A - A.T matters here, and the gradient of A is antisymmetric. b is
    modReLU's: see `rnncore.activations.mod_relu`.

    Paper: M. Lezcano-Casado, D. Martínez-Rubio, Cheap orthogonal constraints in neural networks: a simple
    parametrization of the orthogonal and unitary group, arXiv 1901.08428, 2019.
    """

    A: Array

    parts = 1

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        angles: str = "cayley",
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W; zero b, so that modReLU starts as the identity; A so that U turns units 0 and 1, 2 and 3, …
        by angles s, drawn as in the paper: "cayley", s = -√((1 - cos u) / (1 + cos u)) with u uniform in 0 … π/2, or
        "henaff", s uniform in ±π. ValueError for another name.
        """
        W = init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype)
        pairs = hidden_size // 2
        if angles == "cayley":
            s = -np.tan(rng.uniform(0, np.pi / 2, pairs) / 2)  # which is that square root
        elif angles == "henaff":
            s = rng.uniform(-np.pi, np.pi, pairs)
        else:
            raise ValueError(f"ExpRNN: angles must be one of cayley, henaff, received {angles!r}")
        A = np.zeros((hidden_size, hidden_size), dtype=dtype)
        A[np.arange(pairs) * 2, np.arange(pairs) * 2 + 1] = s
        return cls(W, np.zeros(hidden_size, dtype=dtype), A)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("ExpRNN", "A", self.A, (self.b.shape[0], self.b.shape[0]), self.W)

    def matrix(self) -> Array:
        U, _ = expm(self.A - self.A.T)
        return U

    def matrix_backward(self, dU: Array) -> dict[str, Array]:
        _, cache = expm(self.A - self.A.T)
        dX = expm_backward(dU, cache)
        return {"A": dX - dX.T}
