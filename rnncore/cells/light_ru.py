"""The light recurrent unit (Ye et al. 2024)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["LightRU"]


@dataclass(frozen=True)
class LightRU(AffineCell):
    """One gate mixes the old state with a candidate from the input alone: a STAR without its outer tanh.

        n_x, f_x = split(x W + b)
        n = tanh(n_x),  f = σ(f_x + h U)
        h' = (1 - f) ⊙ h + f ⊙ n

    Shapes: x (B, D), h (B, H); W (D, 2H), b (2H,), gates in the order n f; U (H, H). State: (h,). Output: h.

    torchrecurrent.LightRUCell is this cell with W = weight_ih.T, U = weight_hh.T and b = bias_ih, its bias_hh zero (it
    adds to b's half of f). The paper writes n without a bias, and calls the cell LRU, as others call the linear
    recurrent unit.

    Paper: H. Ye, Y. Zhang, H. Liu, X. Li, J. Chang, H. Zheng, Light recurrent unit: towards an interpretable recurrent
    neural network for modeling long-range dependency, Electronics 13, 2024.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, each gate drawn for itself; orthogonal U; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        return cls(W, U[:, :hidden_size].copy(), b)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("LightRU", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("LightRU", "W", self.W, (self.W.shape[0], 2 * hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        n, f = split(wx, 2)
        n, f = array_namespace(wx).tanh(n), sigmoid(f + uh)
        return (h + f * (n - h),), (h, n, f)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        h, n, f = cache
        dn = dh * f * (1 - n * n)
        df = dh * (n - h) * f * (1 - f)
        return concat(dn, df), df, (dh * (1 - f),), {}
