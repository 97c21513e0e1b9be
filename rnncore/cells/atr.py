"""The addition-subtraction twin-gated recurrent network (Zhang et al. 2018)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, sigmoid
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["ATR"]


@dataclass(frozen=True)
class ATR(AffineCell):
    """Two gates from one pair of projections: the input gate from their sum, the forget gate from their difference.

        p = x W + b;  q = h U
        i = σ(p + q),  f = σ(p - q)
        h' = i ⊙ p + f ⊙ h

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,). State: (h,). Output: h.

    No tanh anywhere: what is remembered is a weighted sum of projected inputs. torchrecurrent.ATRCell is this cell with
    W = weight_ih.T, U = weight_hh.T and b = bias_ih; its bias_hh, which shifts q, is zero here.

    Paper: B. Zhang, D. Xiong, J. Su, Q. Lin, H. Zhang, Simplifying neural machine translation with
    addition-subtraction twin-gated recurrent networks, EMNLP, arXiv 1810.12546, 2018.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, orthogonal U, zero b."""
        return cls(*init.gates(rng, input_size, hidden_size, 1, dtype=dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        i, f = sigmoid(wx + uh), sigmoid(wx - uh)
        return (i * wx + f * h,), (h, wx, i, f)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        h, p, i, f = cache
        di, df = dh * p * i * (1 - i), dh * h * f * (1 - f)
        return dh * i + di + df, di - df, (dh * f,), {}
