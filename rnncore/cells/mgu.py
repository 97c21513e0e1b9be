"""The minimal gated unit (Zhou et al. 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["MGU"]


@dataclass(frozen=True)
class MGU(AffineCell):
    """The minimal gated unit: a GRU whose reset and update gate are one, the forget gate f.

        f_x, n_x = split(x W + b)
        f = σ(f_x + h U)
        n = tanh(n_x + (f ⊙ h) U_n)
        h' = (1 - f) ⊙ h + f ⊙ n

    Shapes: x (B, D), h (B, H); W (D, 2H), b (2H,), gates in the order f n; U and U_n (H, H). State: (h,). Output: h.

    As in GRUOriginal the gate acts on the state before the product, which is therefore made step by step. Where f is 1
    the new state replaces the old one: the other way round than the forget gate of an LSTM. torchrecurrent's MGUCell
    is this cell with W = weight_ih.T, U and U_n side by side = weight_hh.T, and b = bias_ih + bias_hh.

    Paper: G.-B. Zhou, J. Wu, C.-L. Zhang, Z.-H. Zhou, Minimal gated unit for recurrent neural networks,
    arXiv 1603.09420, 2016.
    """

    U_n: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U and U_n, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        return cls(W, U[:, :hidden_size].copy(), b, U[:, hidden_size:].copy())

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("MGU", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("MGU", "W", self.W, (self.W.shape[0], 2 * hidden_size), self.W)
        check_array("MGU", "U_n", self.U_n, (hidden_size, hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        f, n = split(wx, 2)
        f = sigmoid(f + uh)
        fh = f * h
        n = array_namespace(wx).tanh(n + fh @ self.U_n)
        return (h + f * (n - h),), (h, f, fh, n)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        h, f, fh, n = cache
        dn = dh * f * (1 - n * n)
        dfh = dn @ self.U_n.T
        df = (dh * (n - h) + dfh * h) * f * (1 - f)
        return concat(df, dn), df, (dh * (1 - f) + dfh * f,), {"U_n": Product(fh, dn)}
